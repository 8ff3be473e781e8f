// Separable resampling in integers: each row of the result is summed up from rows of the picture (into values of 6 fractional
// bits) and then along itself.
//
// No sum overflows: bindings.cpp makes sure that the absolute weights of an output sum to at most 2^15. The first sum is then
// at most 255 * 2^15 < 2^23 in size; without 8 of its 14 fractional bits, at most 255 * 2^7 = 32640, it fits an int16. The
// second sum is at most 32640 * 2^15 < 2^30. Both hold for any part of a sum too, so that the order of adding is free.
#include <cstring>

#include "kernels.hpp"
#include "lanes.hpp"

namespace pixtrim::PIXTRIM_LEVEL {
namespace {

/// Sums the weighted bytes of `taps` rows into `size` values of 6 fractional bits.
inline void weigh_rows(const std::uint8_t* rows, std::size_t size, const std::int16_t* weights, std::size_t taps,
                       std::int16_t* values) {
    if (size < kByteLanes) {
        for (std::size_t i = 0; i < size; ++i) {
            std::int32_t sum = 1 << 7;
            for (std::size_t t = 0; t < taps; ++t) sum += weights[t] * rows[t * size + i];
            values[i] = static_cast<std::int16_t>(sum >> 8);
        }
        return;
    }
    for (std::size_t i = 0; i + kByteLanes < size; i += kByteLanes) weigh_bytes(rows + i, size, weights, taps, values + i);
    const std::size_t last = size - kByteLanes;  // overlaps the block before
    weigh_bytes(rows + last, size, weights, taps, values + last);
}

}  // namespace

void resample(Picture picture, Weights vertical, Weights horizontal, std::size_t width, Rows rows, std::int16_t* scratch,
              Target target) {
    const std::size_t size = 3 * picture.width;
    for (std::size_t y = rows.first; y < rows.last; ++y) {
        const std::uint8_t* first = picture.pixels + static_cast<std::size_t>(vertical.starts[y]) * size;
        weigh_rows(first, size, vertical.weights + y * vertical.stride, vertical.taps, scratch);
        std::uint8_t* out = target.pixels + y * target.stride;
        for (std::size_t x = 0; x < width; ++x, out += 3) {
            const std::uint32_t pixel = weigh_pixels(scratch + 3 * static_cast<std::size_t>(horizontal.starts[x]),
                                                     horizontal.weights + x * horizontal.stride, horizontal.taps);
            // A fourth byte is one store less; the next pixel overwrites it.
            std::memcpy(out, &pixel, x + 1 < width ? 4 : 3);
        }
    }
}

}  // namespace pixtrim::PIXTRIM_LEVEL
