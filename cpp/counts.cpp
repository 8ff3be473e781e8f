// Counts of set bits along the rows and the columns of a box of a bit map.
#include "flags.hpp"
#include "kernels.hpp"

namespace pixtrim::PIXTRIM_LEVEL {
namespace {

constexpr int kPlanes = 8;              // counters of 8 bits
constexpr std::size_t kRows = 255;      // hold this many rows
constexpr std::size_t kChunk = 32;      // words counted side by side

/// Counters for the columns of a chunk, sliced by bit: bit j of plane[p][w] is bit p of the counter of column 64w + j.
/// Adding a row to 64 counters is then a handful of logical operations on whole words.
struct Counters {
    std::uint64_t plane[kPlanes][kChunk];
};

inline void add_row(Counters& counters, const std::uint64_t* row, std::size_t words) {
    for (std::size_t w = 0; w < words; ++w) {
        std::uint64_t carry = row[w];
        for (int p = 0; p < kPlanes; ++p) {
            const std::uint64_t before = counters.plane[p][w];
            counters.plane[p][w] = before ^ carry;
            carry &= before;
        }
    }
}

inline std::int32_t counter(const Counters& counters, std::size_t column) {
    std::int32_t value = 0;
    for (int p = 0; p < kPlanes; ++p) {
        value |= static_cast<std::int32_t>(counters.plane[p][column / 64] >> column % 64 & 1) << p;
    }
    return value;
}

inline void fill_zero(std::int32_t* counts, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) counts[i] = 0;
}

}  // namespace

void row_counts(ConstBitMap bits, Box box, std::int32_t* counts) {
    if (box.x0 == box.x1) {
        fill_zero(counts, box.y1 - box.y0);
        return;
    }
    const std::size_t first = box.x0 / 64, last = (box.x1 - 1) / 64;
    const std::uint64_t head = ~std::uint64_t{0} << box.x0 % 64;
    const std::uint64_t tail = ~std::uint64_t{0} >> (63 - (box.x1 - 1) % 64);
    for (std::size_t y = box.y0; y < box.y1; ++y) {
        const std::uint64_t* row = bits.words + y * bits.words_per_row;
        std::int32_t count = set_bits(row[first] & head & (first == last ? tail : ~std::uint64_t{0}));
        for (std::size_t w = first + 1; w < last; ++w) count += set_bits(row[w]);
        if (first != last) count += set_bits(row[last] & tail);
        *counts++ = count;
    }
}

void column_counts(ConstBitMap bits, Box box, std::int32_t* counts) {
    fill_zero(counts, box.x1 - box.x0);
    const std::size_t end = (box.x1 + 63) / 64;
    for (std::size_t first = box.x0 / 64; first < end; first += kChunk) {
        const std::size_t words = end - first < kChunk ? end - first : kChunk;
        const std::size_t x0 = box.x0 > 64 * first ? box.x0 : 64 * first;
        const std::size_t x1 = box.x1 < 64 * (first + words) ? box.x1 : 64 * (first + words);
        for (std::size_t y0 = box.y0; y0 < box.y1; y0 += kRows) {
            const std::size_t y1 = box.y1 - y0 < kRows ? box.y1 : y0 + kRows;
            Counters counters = {};
            for (std::size_t y = y0; y < y1; ++y) add_row(counters, bits.words + y * bits.words_per_row + first, words);
            for (std::size_t x = x0; x < x1; ++x) counts[x - box.x0] += counter(counters, x - 64 * first);
        }
    }
}

}  // namespace pixtrim::PIXTRIM_LEVEL
