// What the kernels see of an array: plain data, no member functions.
//
// Inline functions with external linkage are kept out of everything that is compiled once per vector level: the linker keeps
// one copy of each, and a copy compiled for a wide level would crash a machine that lacks it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pixtrim {

/// An RGB picture: height x width x 3 bytes, rows without gaps.
struct Picture {
    const std::uint8_t* pixels;
    std::size_t height, width;
};

/// A map of one bit per pixel: bit x % 64 of word x / 64 of row y; the bits past the width are zero.
struct BitMap {
    std::uint64_t* words;
    std::size_t words_per_row;
};

/// A BitMap that is only read.
struct ConstBitMap {
    const std::uint64_t* words;
    std::size_t words_per_row;
};

/// The rows first <= y < last.
struct Rows {
    std::size_t first, last;
};

/// The pixels y0 <= y < y1, x0 <= x < x1.
struct Box {
    std::size_t y0, y1, x0, x1;
};

}  // namespace pixtrim
