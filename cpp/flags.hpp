// Words of flags, one bit per pixel.
#pragma once

#include <cstdint>

#include "lanes.hpp"

namespace {  // one copy per translation unit, hence per level

/// The number of set bits, written out because a plain formula is vectorised at every level.
inline std::int32_t set_bits(std::uint64_t word) {
    word -= word >> 1 & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    word += word >> 8;
    word += word >> 16;
    return static_cast<std::int32_t>((word + (word >> 32)) & 0x7f);
}

constexpr std::uint64_t rotate_left(std::uint64_t word, int by) { return by ? word << by | word >> (64 - by) : word; }

/// The bits i of a word with i % 3 == phase.
constexpr std::uint64_t every_third(int phase) {
    std::uint64_t mask = 0;
    for (int i = phase; i < 64; i += 3) mask |= std::uint64_t{1} << i;
    return mask;
}

/// The bits that step `step` of unstride() moves: those whose index had bit `step` set before the first step.
constexpr std::uint64_t moving(int step) {
    std::uint64_t mask = 0;
    for (int i = 0; i < 64; ++i) {
        const int now = (i + 42 * (i & ((1 << step) - 1))) & 63;
        if (i >> step & 1) mask |= std::uint64_t{1} << now;
    }
    return mask;
}

/// Brings bit 3k mod 64 to bit k. As 43 * 3 = 1 (mod 64), bit i has to go to 43i = i + 42i: one conditional rotation for each
/// bit of i. The last, by 42 * 32 = 0 (mod 64), falls away.
inline std::uint64_t unstride(std::uint64_t word) {
    constexpr std::uint64_t moved[] = {moving(0), moving(1), moving(2), moving(3), moving(4)};
    for (int step = 0; step < 5; ++step) {
        word = (word & ~moved[step]) | rotate_left(word & moved[step], (42 << step) & 63);
    }
    return word;
}

/// Bit k of the result: pixel k of a and of b differ by more than the threshold in a channel, for 64 pixels.
///
/// Three words hold the flags of 192 bytes. As 3 and 64 have no common factor, the 64 flags of one channel fall on 64
/// different bits: channel c of pixel k on bit (3k + c) mod 64. So one word takes them all, and rotating it by c lays the
/// channels over one another.
inline std::uint64_t exceeding_pixels(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t threshold) {
    const std::uint64_t flags0 = exceeding_bytes(a, b, threshold);
    const std::uint64_t flags1 = exceeding_bytes(a + 64, b + 64, threshold);
    const std::uint64_t flags2 = exceeding_bytes(a + 128, b + 128, threshold);
    if ((flags0 | flags1 | flags2) == 0) return 0;  // most of a page or a screen
    constexpr std::uint64_t third[] = {every_third(0), every_third(1), every_third(2)};
    const std::uint64_t red = (flags0 & third[0]) | (flags1 & third[2]) | (flags2 & third[1]);
    const std::uint64_t green = (flags0 & third[1]) | (flags1 & third[0]) | (flags2 & third[2]);
    const std::uint64_t blue = (flags0 & third[2]) | (flags1 & third[1]) | (flags2 & third[0]);
    return unstride(red | rotate_left(green, 63) | rotate_left(blue, 62));
}

}  // namespace
