// The kernels of seam carving restated plainly: every sum is kept, and nothing is renewed in part.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "views.hpp"

namespace pixtrim {

/// The definition of find_seams.
class Carving {
public:
    explicit Carving(const SeamTask& task) : task_(task), rows_(task.height) {
        order.assign(task.height * task.width, 0);
        for (std::size_t y = 0; y < task.height; ++y) {
            for (std::size_t x = 0; x < task.width; ++x) {
                const std::size_t i = y * task.width + x;
                rows_[y].push_back({task.luma ? task.luma[i] : 0, task.bias ? task.bias[i] : 0, i, 0, false});
            }
        }
        while (count < task.seams && pass()) continue;
    }

    std::vector<std::uint16_t> order;
    std::size_t count = 0;

private:
    static constexpr long kNoPath = 65535;

    struct Pixel {
        int luma, bias;
        std::size_t place;
        long sum;
        bool taken;
    };

    int luma(std::size_t y, long x) const {
        return rows_[y][static_cast<std::size_t>(std::clamp(x, 0l, static_cast<long>(rows_[y].size()) - 1))].luma;
    }

    long energy(std::size_t y, long x) const {
        const int bias = rows_[y][static_cast<std::size_t>(x)].bias;
        if (bias == 255) return kNoPath;
        long sum = bias;
        if (task_.energy != SeamEnergy::importance) sum += std::abs(luma(y, x + 1) - luma(y, x - 1));
        if (task_.energy == SeamEnergy::gradient) {
            sum += std::abs(luma(std::min(y + 1, task_.height - 1), x) - luma(y ? y - 1 : 0, x));
        }
        return std::min(sum, 254l);
    }

    long extra(std::size_t y, long x, int way) const {
        return way && task_.energy == SeamEnergy::forward ? std::abs(luma(y - 1, x) - luma(y, x + way)) : 0;
    }

    /// The sum with which (y, x) is reached from the pixel above it, or beside that.
    long from(std::size_t y, long x, int way, bool free) const {
        const long there = x + way;
        if (there < 0 || there >= static_cast<long>(rows_[y].size())) return kNoPath;
        const Pixel& above = rows_[y - 1][static_cast<std::size_t>(there)];
        return free && above.taken ? kNoPath : std::min(above.sum + extra(y, x, way), kNoPath);
    }

    void sum_up() {
        for (std::size_t y = 0; y < task_.height; ++y) {
            if (y && y % 30 == 0) {
                long least = kNoPath;
                for (const Pixel& pixel : rows_[y - 1]) least = std::min(least, pixel.sum);
                for (Pixel& pixel : rows_[y - 1]) {
                    if (pixel.sum != kNoPath) pixel.sum = std::min(pixel.sum - least, 49000l);
                }
            }
            for (std::size_t x = 0; x < rows_[y].size(); ++x) {
                const long at = static_cast<long>(x);
                const long before = y ? std::min({from(y, at, -1, false), from(y, at, 0, false), from(y, at, 1, false)}) : 0;
                rows_[y][x].sum = std::min(before + energy(y, at), kNoPath);
                rows_[y][x].taken = false;
            }
        }
    }

    bool pass() {
        sum_up();
        std::size_t found = 0;
        for (; found < std::min(task_.per_pass, task_.seams - count); ++found) {
            long x = -1, least = kNoPath;
            for (std::size_t i = 0; i < rows_.back().size(); ++i) {
                const Pixel& end = rows_.back()[i];
                if (!end.taken && end.sum < least) x = static_cast<long>(i), least = end.sum;
            }
            if (x < 0) break;
            std::uint64_t total = 0;
            std::vector<std::size_t> seam(task_.height);
            for (std::size_t y = task_.height; y-- > 0 && x >= 0;) {
                seam[y] = static_cast<std::size_t>(x);
                total += static_cast<std::uint64_t>(energy(y, x));
                if (y == 0) break;
                int best = 0;
                long sum = kNoPath;
                for (int way = -1; way <= 1; ++way) {
                    if (from(y, x, way, true) < sum) best = way, sum = from(y, x, way, true);
                }
                if (sum == kNoPath) {
                    x = -1;
                } else {
                    total += static_cast<std::uint64_t>(extra(y, x, best));
                    x += best;
                }
            }
            if (x < 0 || total > task_.limit) break;
            for (std::size_t y = 0; y < task_.height; ++y) {
                rows_[y][seam[y]].taken = true;
                order[rows_[y][seam[y]].place] = static_cast<std::uint16_t>(count + found + 1);
            }
        }
        for (std::vector<Pixel>& row : rows_) {
            row.erase(std::remove_if(row.begin(), row.end(), [](const Pixel& pixel) { return pixel.taken; }), row.end());
        }
        count += found;
        return found > 0;
    }

    SeamTask task_;
    std::vector<std::vector<Pixel>> rows_;
};

}  // namespace pixtrim
