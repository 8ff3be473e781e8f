// Where a picture changes from a pixel to its neighbour.
#include <cstring>

#include "flags.hpp"
#include "kernels.hpp"

namespace pixtrim::PIXTRIM_LEVEL {
namespace {

constexpr std::size_t kBlock = 64;          // pixels of one word of the map
constexpr std::size_t kBytes = 3 * kBlock;  // and their bytes

/// One row. `above` is null in the first one.
void change_row(const std::uint8_t* row, const std::uint8_t* above, std::size_t width, std::uint8_t threshold,
                std::uint64_t* down, std::uint64_t* right) {
    for (std::size_t x = 0; x < width; x += kBlock, ++down, ++right) {
        const std::size_t count = width - x < kBlock ? width - x : kBlock;
        const std::uint8_t* here = row + 3 * x;
        const std::uint8_t* left = here - 3;
        const std::uint8_t* up = above ? above + 3 * x : here;
        std::uint8_t padded[3 + kBytes], padded_up[kBytes];
        if (x == 0 || count < kBlock) {  // a copy supplies what lies outside the row: a twin of pixel 0, and zeros
            std::memset(padded, 0, sizeof padded);
            std::memset(padded_up, 0, sizeof padded_up);
            std::memcpy(padded, x == 0 ? here : left, 3);
            std::memcpy(padded + 3, here, 3 * count);
            std::memcpy(padded_up, up, 3 * count);
            left = padded;
            here = padded + 3;
            up = padded_up;
        }
        *down = exceeding_pixels(here, up, threshold);
        *right = exceeding_pixels(here, left, threshold) & (~std::uint64_t{0} >> (kBlock - count));
    }
}

}  // namespace

void change_bits(Picture picture, int threshold, Rows rows, BitMap down, BitMap right) {
    const std::size_t stride = 3 * picture.width;
    for (std::size_t y = rows.first; y < rows.last; ++y) {
        const std::uint8_t* row = picture.pixels + y * stride;
        change_row(row, y ? row - stride : nullptr, picture.width, static_cast<std::uint8_t>(threshold),
                   down.words + y * down.words_per_row, right.words + y * right.words_per_row);
    }
}

}  // namespace pixtrim::PIXTRIM_LEVEL
