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

/// Part of a picture to write to: the bytes from its upper left corner on, and those from one row to the next.
struct Target {
    std::uint8_t* pixels;
    std::size_t stride;
};

/// Neighbouring pixels of a row, by their first byte and their number of bytes.
struct Run {
    std::size_t first, bytes;
};

/// The runs of a row that are kept, from left to right.
struct Runs {
    const Run* runs;
    std::size_t count;
};

/// One axis of a resampling: output i is the sum over t < taps of weights[i * stride + t] / 2^14 times input starts[i] + t.
/// The weights from taps to the stride, a multiple of kWeightBlock, are zero.
struct Weights {
    const std::int32_t* starts;
    const std::int16_t* weights;
    std::size_t taps, stride;
};
constexpr std::size_t kWeightBlock = 4;

/// What a row of the resampling's intermediate result needs behind its last value, readable and of no effect.
constexpr std::size_t kSlack = 16;

/// The upper left pixel of a block, or the way from one to another.
struct Place {
    std::int32_t y, x;
};

/// What is measured over the bytes of two blocks: whether they differ, the largest absolute difference, the sum of the absolute
/// differences, or the sum of their squares.
enum class Measure { difference, largest, sum, squares };

/// Two blocks match where the measure is at most the limit: 0 for Measure::difference, at most 255 for Measure::largest.
struct Tolerance {
    Measure measure;
    std::uint64_t limit;
};

/// For each line of an axis, the sum of its values and the largest of them.
struct Lines {
    std::int64_t* sums;
    std::int32_t* peaks;
};

/// Where the marginals of a map go; `parts` and `row` are memory for as many values as a row has.
struct Marginals {
    Lines columns, rows;
    std::uint32_t* parts;
    std::int32_t* row;
};

constexpr std::size_t kMaxSide = 1024;  // pixels of a block

/// A picture in tokens of height x width pixels, in `rows` rows of `columns`, and a reference picture, from which a token can be
/// taken at each of the displacements. Without a reference there are none.
struct Tokens {
    Picture picture;
    std::size_t height, width, rows, columns;
    Picture reference;
    const Place* offsets;
    std::size_t offset_count;
};

enum class Selector { raster, serpentine, pred_2d, pred_near, unique };

/// Memory for the selectors that remember more than the sources; those before Selector::pred_near need none. `slots` are a power
/// of two, at least two for each token, and zero; the other arrays have an element for each token, and `uses` is zero.
struct Notes {
    std::int32_t* labels;
    std::int32_t* uses;
    std::uint64_t* sums;
    std::int32_t* slots;
    std::size_t slot_count;
};

/// What removing a pixel costs: its gradient and the bias, the edges that would come about and the bias, or the bias alone.
enum class SeamEnergy { gradient, forward, importance };

/// Vertical seams to find: luma and bias are height x width bytes without gaps. Without a bias (nullptr) it is 0; the luma may be
/// absent for SeamEnergy::importance.
struct SeamTask {
    const std::uint8_t* luma;
    const std::uint8_t* bias;
    std::size_t height, width;
    SeamEnergy energy;
    std::size_t seams, per_pass;
    std::uint64_t limit;  // the largest energy of a seam
};

/// The numbers of pixels that rows keep, from the least to the most.
struct Lengths {
    std::size_t least, most;
};

/// Memory for the seams: planes whose rows have room around them, of the sizes that seams.hpp names; those that a task does not
/// use are nullptr. The places are height x seams.
struct SeamMemory {
    std::uint8_t* luma;
    std::uint8_t* bias;
    std::uint8_t* energy;
    std::uint16_t* sums;
    std::uint16_t* places;
};

}  // namespace pixtrim
