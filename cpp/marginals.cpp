// Sums and largest values along the rows and the columns of a map of values in [0, 1].
//
// Values are whole numbers of 2^-16, so that sums are exact in any order. A column's part is below 2^32 for kRows rows.
#include "kernels.hpp"

namespace pixtrim::PIXTRIM_LEVEL {
namespace {

constexpr std::size_t kRows = (1 << 16) - 1;
constexpr float kOne = 1 << 16;

/// Converts a row; returns whether all of it is in [0, 1]. What is not becomes 0 or 1, for a conversion that is out of range is
/// undefined.
inline bool convert(const float* row, std::size_t width, std::int32_t* values) {
    std::int32_t outside = 0;
    for (std::size_t x = 0; x < width; ++x) {
        const float value = row[x];
        outside |= !(value >= 0.0f) | !(value <= 1.0f);  // NaN is neither
        const float low = value > 0.0f ? value : 0.0f;
        const float inside = low < 1.0f ? low : 1.0f;
        values[x] = static_cast<std::int32_t>(inside * kOne + 0.5f);
    }
    return outside == 0;
}

}  // namespace

bool marginals(const float* values, std::size_t height, std::size_t width, Marginals out) {
    bool inside = true;
    for (std::size_t x = 0; x < width; ++x) {
        out.columns.sums[x] = 0;
        out.columns.peaks[x] = 0;
    }
    for (std::size_t first = 0; first < height; first += kRows) {
        const std::size_t last = height - first < kRows ? height : first + kRows;
        for (std::size_t x = 0; x < width; ++x) out.parts[x] = 0;
        for (std::size_t y = first; y < last; ++y) {
            inside &= convert(values + y * width, width, out.row);
            std::uint64_t sum = 0;
            std::int32_t peak = 0;
            for (std::size_t x = 0; x < width; ++x) {
                const std::int32_t value = out.row[x];
                out.parts[x] += static_cast<std::uint32_t>(value);
                out.columns.peaks[x] = out.columns.peaks[x] > value ? out.columns.peaks[x] : value;
            }
            for (std::size_t x = 0; x < width; ++x) {
                sum += static_cast<std::uint32_t>(out.row[x]);
                peak = peak > out.row[x] ? peak : out.row[x];
            }
            out.rows.sums[y] = static_cast<std::int64_t>(sum);
            out.rows.peaks[y] = peak;
        }
        for (std::size_t x = 0; x < width; ++x) out.columns.sums[x] += out.parts[x];
    }
    return inside;
}

}  // namespace pixtrim::PIXTRIM_LEVEL
