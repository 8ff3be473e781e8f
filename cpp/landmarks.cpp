// Windows of a picture that are chosen by their contents.
#include <cstring>

#include "flags.hpp"
#include "kernels.hpp"

namespace pixtrim::PIXTRIM_LEVEL {
namespace {

constexpr std::size_t kWindow = 32;                    // pixels
constexpr std::size_t kGroup = 64;                     // windows looked at together, by their first pixels
constexpr std::size_t kSpan = kGroup + kWindow - 1;    // pixels that they cover
constexpr std::int32_t kLeastChanges = 4;
constexpr std::uint64_t kStepsOfWindow = 0x7fffffffu;  // from one of its pixels to the next: 31

constexpr std::uint64_t kBase = 0x9e3779b97f4a7c15u, kMix = 0xd6e8feb86659fd93u;

/// The inverse of an odd number modulo 2^64, by Newton's iteration: each step doubles the number of right bits, 3 at first.
constexpr std::uint64_t inverse(std::uint64_t odd) {
    std::uint64_t result = odd;
    for (int i = 0; i < 5; ++i) result *= 2 - odd * result;
    return result;
}

/// first * base^i, modulo 2^64.
template <std::size_t kCount>
struct Powers {
    std::uint64_t values[kCount] = {};

    constexpr Powers(std::uint64_t first, std::uint64_t base) {
        for (std::size_t i = 0; i < kCount; ++i, first *= base) values[i] = first;
    }
};

constexpr std::uint64_t power(std::uint64_t base, std::size_t exponent) {
    std::uint64_t result = 1;
    for (std::size_t i = 0; i < exponent; ++i) result *= base;
    return result;
}

constexpr Powers<kSpan> kFalling(1, inverse(kBase));
constexpr Powers<kGroup> kRising(power(kBase, kWindow - 1), kBase);

/// Tells the multiples of n = 2^shift * odd without a division: m times the inverse of the odd part, rotated by the shift, is m / n
/// for those, and more than (2^64 - 1) / n for any other m, as both steps can be undone.
struct Divisor {
    std::uint64_t inverse_of_odd, most;
    int shift;
};

inline Divisor divisor(std::uint64_t number) {
    Divisor by{0, ~std::uint64_t{0} / number, 0};
    while (number % 2 == 0) number /= 2, ++by.shift;
    by.inverse_of_odd = inverse(number);
    return by;
}

inline std::uint64_t quotient(std::uint64_t value, Divisor by) {
    value *= by.inverse_of_odd;
    return by.shift ? value >> by.shift | value << (64 - by.shift) : value;
}

/// The hashes of the kGroup windows that start at each of these pixels.
///
/// The sum of v[x + j] * B^(31 - j) is B^(x + 31) times that of v[x + j] * B^-(x + j), which is a difference of two running sums:
/// no product waits for the one before.
inline void hash_windows(const std::uint8_t* pixels, std::uint64_t* hashes) {
    std::uint32_t colours[kSpan];  // by themselves, as the products are then vectorised
    for (std::size_t x = 0; x < kSpan; ++x) {
        colours[x] = static_cast<std::uint32_t>(pixels[3 * x]) << 16 | static_cast<std::uint32_t>(pixels[3 * x + 1]) << 8 |
                     pixels[3 * x + 2];
    }
    std::uint64_t terms[kSpan], sums[kSpan + 1];
    for (std::size_t x = 0; x < kSpan; ++x) terms[x] = colours[x] * kFalling.values[x];
    sums[0] = 0;
    for (std::size_t x = 0; x < kSpan; ++x) sums[x + 1] = sums[x] + terms[x];
    for (std::size_t x = 0; x < kGroup; ++x) {
        std::uint64_t hash = (sums[x + kWindow] - sums[x]) * kRising.values[x];
        hash = (hash ^ hash >> 32) * kMix;
        hashes[x] = hash ^ hash >> 32;
    }
}

/// Bit i: pixel i differs from pixel i + 1. `count` pixels are there; no bit is set from the last of them on.
inline std::uint64_t changes(const std::uint8_t* pixels, std::size_t count) {
    if (count > kGroup) return exceeding_pixels(pixels, pixels + 3, 0);
    std::uint8_t padded[3 * (kGroup + 1)];
    for (std::size_t i = 0; i < kGroup + 1; ++i) std::memcpy(padded + 3 * i, pixels + 3 * (i < count ? i : count - 1), 3);
    return exceeding_pixels(padded, padded + 3, 0);
}

}  // namespace

std::size_t landmarks(Picture picture, std::uint64_t rarity, Rows rows, std::uint64_t* keys, Place* places) {
    if (picture.width < kWindow) return 0;
    const Divisor by = divisor(rarity);
    const std::size_t windows = picture.width - kWindow + 1;
    std::size_t found = 0;
    for (std::size_t y = rows.first; y < rows.last; ++y) {
        const std::uint8_t* row = picture.pixels + 3 * y * picture.width;
        std::uint64_t steps = changes(row, picture.width);
        for (std::size_t x = 0; x < windows; x += kGroup) {
            const std::size_t left = picture.width - x;
            const std::uint64_t next = left > kGroup ? changes(row + 3 * (x + kGroup), left - kGroup) : 0;
            const std::uint64_t here = steps;
            steps = next;
            if (set_bits(here) + set_bits(next & (kStepsOfWindow >> 1)) < kLeastChanges) continue;  // most of a page or a screen
            std::uint8_t padded[3 * kSpan] = {};
            const bool inside = left >= kSpan;
            if (!inside) std::memcpy(padded, row + 3 * x, 3 * left);
            std::uint64_t hashes[kGroup];
            hash_windows(inside ? row + 3 * x : padded, hashes);
            const std::size_t count = windows - x < kGroup ? windows - x : kGroup;
            for (std::size_t i = 0; i < count; ++i) {
                if (quotient(hashes[i], by) > by.most) continue;
                const std::uint64_t steps_there = (i ? here >> i | next << (64 - i) : here) & kStepsOfWindow;
                if (set_bits(steps_there) < kLeastChanges) continue;
                keys[found] = hashes[i];
                places[found++] = {static_cast<std::int32_t>(y), static_cast<std::int32_t>(x + i)};
            }
        }
    }
    return found;
}

}  // namespace pixtrim::PIXTRIM_LEVEL
