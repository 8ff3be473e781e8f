// Blocks of a picture: compared with one another, and found again by their contents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lanes.hpp"
#include "views.hpp"

namespace {  // one copy per translation unit, hence per level

using pixtrim::Measure;
using pixtrim::Tolerance;

/// Where a block starts, and the bytes from one of its rows to the next.
struct Block {
    const std::uint8_t* first;
    std::size_t stride;
};

struct BlockSize {
    std::size_t rows, bytes;  // bytes of a row
};

/// The block with this upper left pixel.
inline Block block_at(const pixtrim::Picture& picture, std::size_t y, std::size_t x) {
    return {picture.pixels + 3 * (y * picture.width + x), 3 * picture.width};
}

/// Whether two blocks match. Returns with the first row that tells that they do not.
inline bool within(Block a, Block b, BlockSize size, Tolerance tolerance) {
    std::uint64_t sum = 0;
    for (std::size_t y = 0; y < size.rows; ++y, a.first += a.stride, b.first += b.stride) {
        switch (tolerance.measure) {
            case Measure::difference:
                if (any_exceeds(a.first, b.first, size.bytes, 0)) return false;
                break;
            case Measure::largest:
                if (any_exceeds(a.first, b.first, size.bytes, static_cast<std::uint8_t>(tolerance.limit))) return false;
                break;
            case Measure::sum:
                sum += sum_of_differences(a.first, b.first, size.bytes);
                if (sum > tolerance.limit) return false;
                break;
            case Measure::squares:
                sum += sum_of_squares(a.first, b.first, size.bytes);
                if (sum > tolerance.limit) return false;
                break;
        }
    }
    return true;
}

inline std::uint64_t word_at(const std::uint8_t* bytes) {
    std::uint64_t word;
    std::memcpy(&word, bytes, 8);
    return word;
}

/// A step of a hash: each bit of both values spreads over the result.
inline std::uint64_t stirred(std::uint64_t hash, std::uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/// A number that blocks of equal contents share, and others hardly ever. It depends on the machine's order of bytes.
inline std::uint64_t hash_of(Block block, BlockSize size) {
    constexpr std::size_t kWord = 8, kStep = 4 * kWord;
    std::uint64_t lanes[4] = {1, 2, 3, 4};  // one chain would wait for each of its multiplications
    for (std::size_t y = 0; y < size.rows; ++y, block.first += block.stride) {
        std::size_t i = 0;
        for (; i + kStep <= size.bytes; i += kStep) {
            for (std::size_t lane = 0; lane < 4; ++lane) {
                lanes[lane] = stirred(lanes[lane], word_at(block.first + i + kWord * lane));
            }
        }
        for (std::size_t lane = 0; i + kWord <= size.bytes; i += kWord, ++lane) {
            lanes[lane] = stirred(lanes[lane], word_at(block.first + i));
        }
        std::uint64_t rest = 0;
        for (; i < size.bytes; ++i) rest = rest << 8 | block.first[i];
        lanes[3] = stirred(lanes[3], rest);
    }
    return stirred(stirred(stirred(lanes[0], lanes[1]), lanes[2]), lanes[3]);
}

/// The sum of all bytes.
inline std::uint64_t sum_of(Block block, BlockSize size) {
    std::uint64_t total = 0;
    for (std::size_t y = 0; y < size.rows; ++y, block.first += block.stride) {
        std::uint32_t sum = 0;
        for (std::size_t i = 0; i < size.bytes; ++i) sum += block.first[i];
        total += sum;
    }
    return total;
}

/// How far the sums of all bytes of two blocks can be apart where they match.
inline std::uint64_t reach(BlockSize size, Tolerance tolerance) {
    const std::uint64_t values = size.rows * size.bytes;
    switch (tolerance.measure) {
        case Measure::difference: return 0;
        case Measure::largest: return tolerance.limit * values;
        case Measure::sum: return tolerance.limit;
        case Measure::squares: break;
    }
    // The mean of the differences is at most the root of their mean square.
    std::uint64_t root = 0;
    for (std::uint64_t bit = std::uint64_t{1} << 31; bit; bit >>= 1) {
        if ((root | bit) * (root | bit) <= tolerance.limit * values) root |= bit;
    }
    return root;
}

}  // namespace
