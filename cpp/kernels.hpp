// The kernels of one vector level, in a namespace that bears the level's name.
//
// Every kernel is compiled once per level, so this header has no include guard: set PIXTRIM_LEVEL, then include it. The
// definitions are the NumPy functions of the same names in src/pixtrim/kernels/reference; each level gives their results
// bit for bit. Nothing here checks its arguments: the bindings do.
#include "views.hpp"

#ifndef PIXTRIM_LEVEL
#error "set PIXTRIM_LEVEL to the namespace of a vector level before including kernels.hpp"
#endif

namespace pixtrim::PIXTRIM_LEVEL {

/// Marks the pixels of `rows` that differ from the pixel above (`down`) and from the pixel on the left (`right`) by more than
/// `threshold` (0 to 255) in any channel. Writes every word of those rows; row 0 of `down` and column 0 of `right` are zero.
void change_bits(Picture picture, int threshold, Rows rows, BitMap down, BitMap right);

/// Counts the set bits of each row of the box into counts[0 .. y1 - y0).
void row_counts(ConstBitMap bits, Box box, std::int32_t* counts);

/// Counts the set bits of each column of the box into counts[0 .. x1 - x0).
void column_counts(ConstBitMap bits, Box box, std::int32_t* counts);

/// Copies the runs of row indices[y] of the picture, side by side, to row y of the target, for each y of `rows`.
void gather(Picture picture, const std::int32_t* indices, Runs columns, Rows rows, Target target);

/// Writes `rows` of the picture resampled along both axes; it becomes `width` pixels wide. The scratch has room for
/// 3 * picture.width + kSlack values; the last kSlack are zero and stay so.
void resample(Picture picture, Weights vertical, Weights horizontal, std::size_t width, Rows rows, std::int16_t* scratch,
              Target target);

/// Sets matches[i], for each i of `pairs`, to whether the block at corners[i] of the picture matches the one at other_corners[i]
/// of the other.
void match_blocks(Picture picture, const Place* corners, Picture other, const Place* other_corners, std::size_t height,
                  std::size_t width, Tolerance tolerance, Rows pairs, bool* matches);

/// Writes the source of every token.
void predict(Tokens tokens, Selector selector, Tolerance tolerance, Notes notes, std::int32_t* sources);

/// Writes the hashes and the places of the windows of `rows` that are chosen, in raster order, and returns their number. There
/// must be room for a window at each pixel of the rows.
std::size_t landmarks(Picture picture, std::uint64_t rarity, Rows rows, std::uint64_t* keys, Place* places);

/// Writes the sums and the largest of the values, in units of 2^-16, of each column and row; returns whether all are in [0, 1].
bool marginals(const float* values, std::size_t height, std::size_t width, Marginals out);

/// Writes the luma of `rows`.
void luma(Picture picture, Rows rows, std::uint8_t* levels);

/// Writes to order[y * width + x] the number of the seam that takes the pixel, from 1 on, or 0; returns the number of seams.
std::size_t find_seams(SeamTask task, SeamMemory memory, std::uint16_t* order);

/// Counts the pixels of each row whose order is 0 or above `seams`, at most 65535.
Lengths kept_lengths(const std::uint16_t* order, std::size_t height, std::size_t width, std::size_t seams);

/// Writes the values, of `size` bytes, whose order is 0 or above `seams`, those of a row next to one another; unless `rows`, those
/// of a column, by an order of width x height. Every row, or column, has to keep equally many.
void drop_seams(const std::uint8_t* values, const std::uint16_t* order, std::size_t height, std::size_t width, std::size_t size,
                std::size_t seams, bool rows, std::uint8_t* kept);

/// Writes the height x width values as width x height.
void transpose(const std::uint8_t* values, std::size_t height, std::size_t width, std::uint8_t* turned);

}  // namespace pixtrim::PIXTRIM_LEVEL
