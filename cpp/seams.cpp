// Vertical seams of the least energy, by dynamic programming.
//
// Every seam has the full programme run over the whole picture: in 16 bits, a machine does that faster than it could look after
// what a seam changes. The planes close up after each pass. Where the seams lay is kept as they saw it, and brought back to the
// columns of the original picture at the end.
#include "seams.hpp"

#include <cstring>

#include "kernels.hpp"
#include "lanes.hpp"

namespace pixtrim::PIXTRIM_LEVEL {
namespace {

constexpr std::size_t kBlocksBetween = 2;      // from one renewal of the sums to the next
constexpr std::uint16_t kLargestSum = 49000;   // after it: 30 rows add at most 30 * (254 + 255), which stays below kNoPath
constexpr std::size_t kAhead = 4;              // rows made ready before they are summed: what was just written is slow to read
constexpr std::size_t kRowsTogether = 3;       // whose places are brought back to the original; there are as many rows of sums
constexpr std::uint64_t kNowhere = ~std::uint64_t{0};  // the energy of a seam that comes to pixels that are all taken

/// kSumLanes open places between closed ones: where a row ends.
struct Ends {
    std::uint16_t values[3 * kSumLanes] = {};

    constexpr Ends() {
        for (std::size_t i = 0; i < kSumLanes; ++i) values[i] = values[2 * kSumLanes + i] = kNoPath;
    }
};
constexpr Ends kEnds;
constexpr const std::uint16_t* kOpen = kEnds.values + kSumLanes;
constexpr std::uint8_t kNoBias[2 * kSumLanes] = {};

/// The planes, as they are after some passes.
struct Planes {
    std::uint8_t* luma;
    std::uint8_t* bias;
    std::uint8_t* energy;
    std::uint16_t* sums;
    std::size_t stride, sums_stride;  // in values
    std::size_t height, width;
    bool forward, is_protected;

    std::uint8_t* row(std::uint8_t* plane, std::size_t y) const { return plane + kMargin + y * stride; }

    /// The sums of a row: every kBlock-th has memory of its own, the others two rows in turn. Row -1, from which the first one
    /// starts, is 0.
    std::uint16_t* sums_of(std::ptrdiff_t y) const {
        const auto row = static_cast<std::size_t>(y + 1);
        return sums + kMargin / 2 + (row % kBlock ? row % 2 : 2 + row / kBlock) * sums_stride;
    }
};

inline std::uint32_t apart(std::uint8_t a, std::uint8_t b) { return static_cast<std::uint32_t>(a > b ? a - b : b - a); }

/// Repeats the first and the last pixel of a row beside it.
inline void extend(std::uint8_t* row, std::size_t width) {
    row[-1] = row[0];
    row[width] = row[width - 1];
}

/// The energies of the pixels from..to - 1 of a row, and of some around them.
inline void renew_energies(const Planes& planes, std::size_t y, std::ptrdiff_t from, std::ptrdiff_t to) {
    const std::uint8_t* row = planes.row(planes.luma, y);
    const std::uint8_t* above = y ? row - planes.stride : row;
    const std::uint8_t* below = y + 1 < planes.height ? row + planes.stride : row;
    const std::uint8_t* bias = planes.bias ? planes.row(planes.bias, y) : nullptr;
    std::uint8_t* energies = planes.row(planes.energy, y);
    for (std::ptrdiff_t x = from; x < to; x += kEnergyLanes) {
        gradient_energies(above + x, row + x, below + x, bias ? bias + x : kNoBias, energies + x);
    }
}

inline Planes planes_of(const SeamTask& task, const SeamMemory& memory) {
    Planes planes{memory.luma, memory.bias, memory.energy, memory.sums, plane_stride(task.width), sums_stride(task.width) / 2,
                  task.height, task.width, task.energy == SeamEnergy::forward, false};
    if (task.energy == SeamEnergy::importance) planes.luma = planes.bias = nullptr;
    const std::size_t width = task.width;
    for (std::size_t y = 0; y < task.height; ++y) {
        if (planes.luma) {
            std::memcpy(planes.row(planes.luma, y), task.luma + y * width, width);
            extend(planes.row(planes.luma, y), width);
        }
        if (planes.bias) std::memcpy(planes.row(planes.bias, y), task.bias + y * width, width);
        if (task.energy == SeamEnergy::importance) {
            std::memcpy(planes.row(planes.energy, y), task.bias + y * width, width);
        }
    }
    if (task.bias) planes.is_protected = std::memchr(task.bias, kForbidden, task.height * width) != nullptr;
    if (task.energy == SeamEnergy::gradient) {
        for (std::size_t y = 0; y < task.height; ++y) renew_energies(planes, y, 0, static_cast<std::ptrdiff_t>(width));
    }
    const auto last = static_cast<std::ptrdiff_t>(task.height) - 1;
    for (std::ptrdiff_t y = -1; y <= last; ++y) {
        for (std::size_t i = 1; i <= kSumLanes; ++i) *(planes.sums_of(y) - i) = kNoPath;
    }
    std::memset(planes.sums_of(-1), 0, 2 * width);
    return planes;
}

inline std::uint16_t least_of(const std::uint16_t* sums, std::size_t count) {
    std::uint16_t least = kNoPath;
    for (std::size_t x = 0; x < count; ++x) least = sums[x] < least ? sums[x] : least;
    return least;
}

/// Takes the least sum of a row off all that a seam reaches, so that the next kRowsBetween rows fit.
inline void renew_sums(std::uint16_t* sums, std::size_t count) {
    const std::uint16_t least = least_of(sums, count);
    for (std::size_t x = 0; x < count; ++x) {
        const std::uint16_t above = static_cast<std::uint16_t>(sums[x] - least);
        const std::uint16_t kept = above < kLargestSum ? above : kLargestSum;
        sums[x] = sums[x] == kNoPath ? kNoPath : kept;
    }
}

/// What one row of sums is made from. Above the first row of a picture, it is that row itself.
struct Step {
    const std::uint8_t* energy;
    const std::uint8_t* luma_above;
    const std::uint8_t* luma;
    const std::uint8_t* bias;
};

inline Step step_of(const Planes& planes, std::size_t y, std::ptrdiff_t x) {
    const auto at = [&](std::uint8_t* plane, std::size_t row) { return plane ? planes.row(plane, row) + x : nullptr; };
    return {at(planes.energy, y), at(planes.luma, y ? y - 1 : 0), at(planes.luma, y), at(planes.bias, y)};
}

/// The sums of kSumLanes pixels, the first of which is x pixels to the right of what the step and the sums point to. kAlone: the
/// sums above beside those lanes are not there, and those of the outermost lanes do not matter.
template <bool kForward, bool kProtected, bool kAlone = false>
inline void add(const Step& step, const std::uint16_t* above, std::size_t x, const std::uint16_t* closed, std::uint16_t* sums) {
    if (kForward) {
        const std::uint8_t* bias = step.bias ? step.bias + x : kNoBias;
        add_forward<kProtected, kAlone>(above + x, step.luma_above + x, step.luma + x, bias, closed, sums + x);
    } else {
        add_energies<kProtected, kAlone>(above + x, step.energy + x, closed, sums + x);
    }
}

/// Seams of a pass: seam i takes places[y * step + i] of row y.
struct Pass {
    std::uint16_t* places;
    std::size_t step, count;
};

/// Closes a row up over the places in rising order.
inline void close_row(std::uint8_t* row, const std::uint16_t* places, std::size_t count, std::size_t width) {
    for (std::size_t i = 0; i + 1 < count; ++i) std::memmove(row + places[i] - i, row + places[i] + 1, places[i + 1] - places[i] - 1u);
    std::uint8_t* to = row + places[count - 1] - (count - 1);
    for (const std::uint8_t* end = row + width - count; to < end; to += kLine) {
        std::uint8_t line[kLine];
        std::memcpy(line, to + count, kLine);  // past the end of the row: there is a margin
        std::memcpy(to, line, kLine);
    }
}

/// The places of a row in rising order.
inline void sort(const std::uint16_t* places, std::size_t count, std::uint16_t* sorted) {
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t j = i;
        for (; j > 0 && sorted[j - 1] > places[i]; --j) sorted[j] = sorted[j - 1];
        sorted[j] = places[i];
    }
}

/// Takes the seams of a pass out of the planes, from the top down, and renews the energies that depend on their pixels.
class Closer {
public:
    Closer(const Planes& planes, Pass pass) : planes_(planes), pass_(pass), new_width_(planes.width - pass.count) {}

    /// Makes row y ready. The rows above it have to be so.
    void operator()(std::size_t y) {
        if (pass_.count == 0) return;
        if (y == 0) close(0);
        if (y + 1 < planes_.height) close(y + 1);  // the energies of row y depend on it
        if (!planes_.luma || !planes_.energy) return;
        constexpr std::ptrdiff_t kReach = kEnergyLanes / 2;  // they change up to two pixels away from where a row was closed
        for (std::size_t i = 0; i < pass_.count; ++i) {
            renew_energies(planes_, y, joins_[y % 2][i] - kReach, joins_[y % 2][i] + kReach);
        }
    }

private:
    /// Takes the pixels out of a row. Each place then means what it does when the seams before it have left.
    void close(std::size_t y) {
        const std::size_t count = pass_.count;
        std::uint16_t sorted[kMostPerPass], *places = pass_.places + y * pass_.step;
        sort(places, count, sorted);
        if (planes_.energy) close_row(planes_.row(planes_.energy, y), sorted, count, planes_.width);
        if (planes_.bias) close_row(planes_.row(planes_.bias, y), sorted, count, planes_.width);
        if (planes_.luma) {
            close_row(planes_.row(planes_.luma, y), sorted, count, planes_.width);
            extend(planes_.row(planes_.luma, y), new_width_);
        }
        for (std::size_t i = 0; i < count; ++i) joins_[y % 2][i] = static_cast<std::uint16_t>(sorted[i] - i);
        for (std::size_t i = count; i-- > 1;) {
            std::uint16_t before = 0;
            for (std::size_t j = 0; j < i; ++j) before += places[j] < places[i];
            places[i] = static_cast<std::uint16_t>(places[i] - before);
        }
    }

    const Planes& planes_;
    Pass pass_;
    std::size_t new_width_;
    std::uint16_t joins_[2][kMostPerPass];  // of the last two rows
};

/// Takes out the seams of the pass before, and sums the energies that are left. Row by row, so that each is fetched once.
template <bool kForward, bool kProtected>
void sum_rows(Planes& planes, Pass before) {
    Closer close(planes, before);
    const std::size_t width = planes.width - before.count;
    const std::size_t last = width / kSumLanes * kSumLanes;  // the last lanes hold a closed place at least
    const std::uint16_t* closed = kOpen + kSumLanes - width % kSumLanes;
    for (std::size_t y = 0; y < kAhead && y < planes.height; ++y) close(y);
    for (std::size_t y = 0; y < planes.height; ++y) {
        if (y + kAhead < planes.height) close(y + kAhead);
        const auto row = static_cast<std::ptrdiff_t>(y);
        std::uint16_t* above = planes.sums_of(row - 1);
        std::uint16_t* sums = planes.sums_of(row);
        if (y && y % (kBlock * kBlocksBetween) == 0) renew_sums(above, last + kSumLanes);
        const Step step = step_of(planes, y, 0);
        std::size_t x = 0;
        for (; kForward && x + 2 * kSumLanes <= last; x += 2 * kSumLanes) {
            const std::uint8_t* bias = step.bias ? step.bias + x : kNoBias;
            add_forward_twice<kProtected>(above + x, step.luma_above + x, step.luma + x, bias, sums + x);
        }
        for (; x < last; x += kSumLanes) add<kForward, kProtected>(step, above, x, nullptr, sums);
        add<kForward, kProtected>(step, above, last, closed, sums);
    }
    planes.width = width;
}

inline std::uint32_t plus(std::uint32_t sum, std::uint32_t energy) {
    return sum + energy < kNoPath ? sum + energy : kNoPath;
}

/// Follows the seam that ends at x in the last row upwards, around those of the pass, and writes its places behind theirs. Returns
/// its energy, or kNowhere if it comes to pixels that are all taken.
template <bool kForward, bool kProtected>
std::uint64_t trace(const Planes& planes, std::size_t x, Pass pass) {
    constexpr std::size_t kHalf = kSumLanes / 2;
    alignas(kLine) std::uint16_t block[kBlock][2 * kSumLanes];  // sums above each row of a block, in the middle of each row
    std::uint64_t total = 0;
    for (std::size_t end = planes.height; end > 0;) {
        const std::size_t first = (end - 1) / kBlock * kBlock, rows = end - first;
        const std::ptrdiff_t left = static_cast<std::ptrdiff_t>(x) - static_cast<std::ptrdiff_t>(kHalf);
        std::uint16_t closed[kSumLanes];
        for (std::size_t i = 0; i < kSumLanes; ++i) {
            const std::ptrdiff_t at = left + static_cast<std::ptrdiff_t>(i);
            closed[i] = at < 0 || at >= static_cast<std::ptrdiff_t>(planes.width) ? kNoPath : 0;
        }
        const std::uint16_t* kept = planes.sums_of(static_cast<std::ptrdiff_t>(first) - 1) + left;
        for (std::size_t i = 0; i < kSumLanes; ++i) block[0][kHalf + i] = kept[i] | closed[i];
        for (std::size_t i = 1; i < rows; ++i) {
            add<kForward, kProtected, true>(step_of(planes, first + i - 1, left), block[i - 1] + kHalf, 0, closed, block[i] + kHalf);
        }
        for (std::size_t i = first ? 0 : 1; i < rows; ++i) {
            for (std::size_t k = 0; k < pass.count; ++k) {
                const std::ptrdiff_t at = pass.places[(first + i - 1) * pass.step + k] - left;
                if (at >= 0 && at < static_cast<std::ptrdiff_t>(kSumLanes)) block[i][kHalf + static_cast<std::size_t>(at)] = kNoPath;
            }
        }
        for (; end > first; --end) {
            const std::size_t y = end - 1;
            pass.places[y * pass.step + pass.count] = static_cast<std::uint16_t>(x);
            const Step here = step_of(planes, y, static_cast<std::ptrdiff_t>(x));
            std::uint32_t extra_left = 0, extra_right = 0;
            if (kForward) {
                const std::uint32_t energy = apart(here.luma[-1], here.luma[1]) + (here.bias ? *here.bias : 0);
                total += energy < kForbidden - 1 ? energy : kForbidden - 1;
                extra_left = apart(here.luma[-1], *here.luma_above);
                extra_right = apart(here.luma[1], *here.luma_above);
            } else {
                total += *here.energy;
            }
            if (y == 0) return total;
            const std::uint16_t* above = block[y - first] + (static_cast<std::ptrdiff_t>(x + kHalf) - left);
            const std::uint32_t from_left = plus(above[-1], extra_left), from_right = plus(above[1], extra_right);
            const std::uint32_t least = from_left <= above[0] ? from_left : above[0];
            const bool to_right = from_right < least, to_left = !to_right && from_left <= above[0];
            if ((to_right ? from_right : least) == kNoPath) return kNowhere;
            total += to_right ? extra_right : to_left ? extra_left : 0;
            x = x + to_right - to_left;
        }
    }
    return total;
}

/// Finds up to `most` seams that share no pixel, the cheapest first, in what the pass before leaves.
template <bool kForward, bool kProtected>
Pass find_pass(Planes& planes, std::size_t most, std::uint64_t limit, Pass before) {
    sum_rows<kForward, kProtected>(planes, before);
    Pass pass{before.places + before.count, before.step, 0};
    std::uint16_t* last = planes.sums_of(static_cast<std::ptrdiff_t>(planes.height) - 1);
    for (; pass.count < most; ++pass.count) {
        const std::uint16_t least = least_of(last, planes.width);
        if (least == kNoPath) break;
        std::size_t x = 0;
        while (last[x] != least) ++x;
        const std::uint64_t energy = trace<kForward, kProtected>(planes, x, pass);
        if (energy == kNowhere || energy > limit) break;
        last[x] = kNoPath;
    }
    return pass;
}

/// Brings the places of some rows, the last seam's first, each as the seams before it left its row, to the columns of the original.
/// There is room for a multiple of kSumLanes. A place waits for those of later seams: several rows at once fill the time.
inline void restore(std::uint16_t* const* rows, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k) {
        const std::uint16_t later = static_cast<std::uint16_t>(k);
        const std::size_t whole = k / kSumLanes * kSumLanes;
        for (std::size_t row = 0; row < kRowsTogether; ++row) {
            std::uint16_t* places = rows[row];
            const std::uint16_t place = places[k];
            for (std::size_t i = 0; i < whole; ++i) places[i] = static_cast<std::uint16_t>(places[i] + (places[i] >= place));
            for (std::size_t i = whole; i < whole + kSumLanes; ++i) {  // a whole vector as well, of which some stay as they are
                const bool moves = (places[i] >= place) & (static_cast<std::uint16_t>(i) < later);
                places[i] = static_cast<std::uint16_t>(places[i] + moves);
            }
        }
    }
}

}  // namespace

std::size_t find_seams(SeamTask task, SeamMemory memory, std::uint16_t* order) {
    Planes planes = planes_of(task, memory);
    Pass pass{memory.places, task.seams, 0};
    std::size_t count = 0;
    while (count < task.seams) {
        const std::size_t left = task.seams - count, most = left < task.per_pass ? left : task.per_pass;
        pass = planes.forward ? (planes.is_protected ? find_pass<true, true>(planes, most, task.limit, pass)
                                                     : find_pass<true, false>(planes, most, task.limit, pass))
                              : (planes.is_protected ? find_pass<false, true>(planes, most, task.limit, pass)
                                                     : find_pass<false, false>(planes, most, task.limit, pass));
        if (pass.count == 0) break;
        count += pass.count;
    }
    Closer close(planes, pass);  // the places of the last pass, too, come to mean what the others do
    for (std::size_t y = 0; y < task.height; ++y) close(y);
    std::memset(order, 0, task.height * task.width * sizeof *order);
    std::uint16_t* rows[kRowsTogether];
    for (std::size_t i = 0; i < kRowsTogether; ++i) rows[i] = memory.sums + i * planes.sums_stride;  // no longer needed
    for (std::size_t y = 0; y < task.height; y += kRowsTogether) {
        const std::size_t left = task.height - y, there = left < kRowsTogether ? left : kRowsTogether;
        for (std::size_t i = 0; i < kRowsTogether; ++i) {  // the last row more than once, if need be
            const std::uint16_t* places = memory.places + (y + (i < there ? i : there - 1)) * task.seams;
            for (std::size_t k = 0; k < count; ++k) rows[i][k] = places[count - 1 - k];
        }
        restore(rows, count);
        for (std::size_t i = 0; i < there; ++i) {
            std::uint16_t* row = order + (y + i) * task.width;
            for (std::size_t k = 0; k < count; ++k) row[rows[i][k]] = static_cast<std::uint16_t>(count - k);
        }
    }
    return count;
}

}  // namespace pixtrim::PIXTRIM_LEVEL
