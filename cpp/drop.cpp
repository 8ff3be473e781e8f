// Pictures and planes without the pixels of seams, and what the search for seams is given.
#include <cstring>

#include "kernels.hpp"

namespace pixtrim::PIXTRIM_LEVEL {
namespace {

constexpr std::size_t kTile = 64;  // rows and columns looked at together

/// 1 if a pixel of that order stays, else 0.
inline std::size_t stays(std::uint16_t order, std::size_t seams) {
    return static_cast<std::uint16_t>(order - 1) >= static_cast<std::uint16_t>(seams);
}

/// Every value is written, and a next one over it if it does not stay: no branch has to be foreseen. In the last line, that might be
/// past the end.
template <std::size_t kSize>
void drop_from_rows(const std::uint8_t* values, const std::uint16_t* order, std::size_t height, std::size_t width,
                    std::size_t seams, std::uint8_t* kept) {
    const std::size_t count = height * width, last = height ? count - width : 0;
    for (std::size_t i = 0; i < last; ++i) {
        std::memcpy(kept, values + kSize * i, kSize);
        kept += kSize * stays(order[i], seams);
    }
    for (std::size_t i = last; i < count; ++i) {
        if (stays(order[i], seams) == 0) continue;
        std::memcpy(kept, values + kSize * i, kSize);
        kept += kSize;
    }
}

template <std::size_t kSize>
void drop_from_columns(const std::uint8_t* values, const std::uint16_t* order, std::size_t height, std::size_t width,
                       std::size_t seams, std::uint8_t* kept, std::size_t new_height) {
    const std::uint8_t* end = kept + kSize * width * new_height;
    for (std::size_t x0 = 0; x0 < width; x0 += kTile) {
        const std::size_t columns = x0 + kTile < width ? kTile : width - x0;
        std::uint8_t* to[kTile];
        for (std::size_t i = 0; i < columns; ++i) to[i] = kept + kSize * (x0 + i);
        for (std::size_t y = 0; y < height; ++y) {
            const std::uint8_t* row = values + kSize * (y * width + x0);
            const std::uint16_t* column = order + x0 * height + y;
            for (std::size_t i = 0; i < columns; ++i, column += height) {
                std::uint8_t spare[kSize];
                std::memcpy(to[i] < end ? to[i] : spare, row + kSize * i, kSize);
                to[i] += kSize * width * stays(*column, seams);
            }
        }
    }
}

}  // namespace

void luma(Picture picture, Rows rows, std::uint8_t* levels) {
    for (std::size_t i = rows.first * picture.width; i < rows.last * picture.width; ++i) {
        const std::uint8_t* pixel = picture.pixels + 3 * i;
        levels[i] = static_cast<std::uint8_t>((77 * pixel[0] + 150 * pixel[1] + 29 * pixel[2] + 128) >> 8);
    }
}

Lengths kept_lengths(const std::uint16_t* order, std::size_t height, std::size_t width, std::size_t seams) {
    Lengths found{width, height ? 0 : width};
    for (std::size_t y = 0; y < height; ++y, order += width) {
        std::uint32_t kept = 0;
        for (std::size_t x = 0; x < width; ++x) kept += static_cast<std::uint32_t>(stays(order[x], seams));
        found.least = kept < found.least ? kept : found.least;
        found.most = kept > found.most ? kept : found.most;
    }
    return found;
}

void drop_seams(const std::uint8_t* values, const std::uint16_t* order, std::size_t height, std::size_t width, std::size_t size,
                std::size_t seams, bool rows, std::uint8_t* kept) {
    const std::size_t length = height && width ? kept_lengths(order, 1, rows ? width : height, seams).most : 0;
    const auto drop = [&](auto by_rows, auto by_columns) {
        rows ? by_rows(values, order, height, width, seams, kept) : by_columns(values, order, height, width, seams, kept, length);
    };
    switch (size) {
        case 1: return drop(drop_from_rows<1>, drop_from_columns<1>);
        case 3: return drop(drop_from_rows<3>, drop_from_columns<3>);
        default: return drop(drop_from_rows<4>, drop_from_columns<4>);
    }
}

void transpose(const std::uint8_t* values, std::size_t height, std::size_t width, std::uint8_t* turned) {
    for (std::size_t y0 = 0; y0 < height; y0 += kTile) {
        const std::size_t y1 = y0 + kTile < height ? y0 + kTile : height;
        for (std::size_t x0 = 0; x0 < width; x0 += kTile) {
            const std::size_t x1 = x0 + kTile < width ? x0 + kTile : width;
            for (std::size_t x = x0; x < x1; ++x) {
                for (std::size_t y = y0; y < y1; ++y) turned[x * height + y] = values[y * width + x];
            }
        }
    }
}

}  // namespace pixtrim::PIXTRIM_LEVEL
