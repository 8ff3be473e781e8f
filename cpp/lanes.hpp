// The few operations that compilers do not find in a plain loop, per vector level. The only place with intrinsics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {  // one copy per translation unit, hence per level

/// Bit i of the result: |a[i] - b[i]| > threshold, for 64 bytes.
inline std::uint64_t exceeding_bytes(const std::uint8_t* a, const std::uint8_t* b, std::uint8_t threshold) {
#if defined(__AVX512BW__)
    const __m512i x = _mm512_loadu_si512(a);
    const __m512i y = _mm512_loadu_si512(b);
    const __m512i difference = _mm512_sub_epi8(_mm512_max_epu8(x, y), _mm512_min_epu8(x, y));
    return _mm512_cmpgt_epu8_mask(difference, _mm512_set1_epi8(static_cast<char>(threshold)));
#elif defined(__AVX2__)
    const __m256i limit = _mm256_set1_epi8(static_cast<char>(threshold));
    std::uint32_t half[2];
    for (int i = 0; i < 2; ++i) {
        const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + 32 * i));
        const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b + 32 * i));
        const __m256i difference = _mm256_sub_epi8(_mm256_max_epu8(x, y), _mm256_min_epu8(x, y));
        const __m256i within = _mm256_cmpeq_epi8(_mm256_max_epu8(difference, limit), limit);
        half[i] = ~static_cast<std::uint32_t>(_mm256_movemask_epi8(within));
    }
    return half[0] | static_cast<std::uint64_t>(half[1]) << 32;
#else
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the gathering of flags below counts bytes from the low end of a word"
#endif
    std::uint8_t flags[64];
    for (int i = 0; i < 64; ++i) {
        const std::uint8_t difference = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        flags[i] = difference > threshold;
    }
    std::uint64_t mask = 0;
    for (int i = 0; i < 8; ++i) {
        std::uint64_t eight;
        std::memcpy(&eight, flags + 8 * i, 8);
        // The product's top byte holds the eight flags side by side: byte j arrives there shifted by j.
        mask |= (eight * 0x0102040810204080u >> 56) << 8 * i;
    }
    return mask;
#endif
}

constexpr std::size_t kByteLanes = 32;  // sums in 512 bits were no faster where measured, on Zen 4

/// Sums kByteLanes columns of weighted bytes: values[i] = (sum over t of weights[t] * rows[t * stride + i] + 2^7) / 2^8, rounded
/// down. After an odd number of weights, one more is there, of any value.
inline void weigh_bytes(const std::uint8_t* rows, std::size_t stride, const std::int16_t* weights, std::size_t taps,
                        std::int16_t* values) {
#if defined(__AVX2__)
    const __m256i zero = _mm256_setzero_si256();
    __m256i sums[4];
    for (int i = 0; i < 4; ++i) sums[i] = _mm256_set1_epi32(1 << 7);
    for (std::size_t t = 0; t < taps; t += 2) {
        std::int32_t pair;
        std::memcpy(&pair, weights + t, 4);
        const __m256i weight = _mm256_set1_epi32(pair);
        const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows + t * stride));
        const __m256i b = t + 1 < taps ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows + (t + 1) * stride)) : zero;
        const __m256i low = _mm256_unpacklo_epi8(a, b), high = _mm256_unpackhi_epi8(a, b);
        sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(_mm256_unpacklo_epi8(low, zero), weight));
        sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(_mm256_unpackhi_epi8(low, zero), weight));
        sums[2] = _mm256_add_epi32(sums[2], _mm256_madd_epi16(_mm256_unpacklo_epi8(high, zero), weight));
        sums[3] = _mm256_add_epi32(sums[3], _mm256_madd_epi16(_mm256_unpackhi_epi8(high, zero), weight));
    }
    for (int i = 0; i < 4; ++i) sums[i] = _mm256_srai_epi32(sums[i], 8);
    // Both hold 8 values of each 16 columns.
    const __m256i even = _mm256_packs_epi32(sums[0], sums[1]), odd = _mm256_packs_epi32(sums[2], sums[3]);
    __m256i* to = reinterpret_cast<__m256i*>(values);
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(even, odd, 0x31));
#else
    std::int32_t sums[kByteLanes];
    for (std::size_t i = 0; i < kByteLanes; ++i) sums[i] = 1 << 7;
    for (std::size_t t = 0; t < taps; ++t) {
        for (std::size_t i = 0; i < kByteLanes; ++i) sums[i] += weights[t] * static_cast<std::int16_t>(rows[t * stride + i]);
    }
    for (std::size_t i = 0; i < kByteLanes; ++i) values[i] = static_cast<std::int16_t>(sums[i] >> 8);
#endif
}

/// Sums weighted RGB pixels of 16 bits per channel; byte c of the result, as it lies in memory, is
/// (sum over t of weights[t] * values[3 * t + c] + 2^19) / 2^20, rounded down and clipped to a byte; byte 3 means nothing.
/// The weights go on to a multiple of kWeightBlock by zeros; up to kSlack values behind the last one that counts are read.
inline std::uint32_t weigh_pixels(const std::int16_t* values, const std::int16_t* weights, std::size_t taps) {
#if defined(__AVX2__)
    // Four pixels at a time; each half of the sums takes two of them, with the channels side by side.
    const __m256i neighbours = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, 4, 5, 10, 11));
    const __m256i pairs = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    __m256i sums = _mm256_setzero_si256();
    for (std::size_t t = 0; t < taps; t += 4) {
        const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + 3 * t));
        const __m128i second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + 3 * t + 6));
        const __m256i pixels = _mm256_shuffle_epi8(_mm256_set_m128i(second, first), neighbours);
        const __m128i four = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(weights + t));
        const __m256i weight = _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(four), pairs);
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pixels, weight));
    }
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(1 << 19)), 20);
    sum = _mm_packs_epi32(sum, sum);
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_packus_epi16(sum, sum)));
#else
    std::int32_t sums[4] = {1 << 19, 1 << 19, 1 << 19, 0};
    for (std::size_t t = 0; t < taps; ++t) {  // with a channel too many, for four lanes
        for (int c = 0; c < 4; ++c) sums[c] += weights[t] * values[3 * t + c];
    }
    std::uint8_t bytes[4];
    for (int c = 0; c < 4; ++c) {
        const std::int32_t level = sums[c] >> 20;
        bytes[c] = static_cast<std::uint8_t>(level < 0 ? 0 : level > 255 ? 255 : level);
    }
    std::uint32_t pixel;
    std::memcpy(&pixel, bytes, 4);
    return pixel;
#endif
}

#if defined(__AVX2__)

constexpr std::size_t kRowLanes = 32;  // bytes compared at a time

inline __m256i load_bytes(const std::uint8_t* bytes) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes)); }

/// |a - b| of kRowLanes bytes.
inline __m256i absolute_difference(__m256i a, __m256i b) { return _mm256_or_si256(_mm256_subs_epu8(a, b), _mm256_subs_epu8(b, a)); }

/// Calls step(x, y) for the bytes of two rows, of kRowLanes or more bytes, each of them once; where a step has too many, those
/// that were there before are zero in both.
template <class Step>
inline void for_row_lanes(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes, Step step) {
    std::size_t i = 0;
    for (; i + kRowLanes <= bytes; i += kRowLanes) step(load_bytes(a + i), load_bytes(b + i));
    if (i == bytes) return;
    // The last bytes of the row, without those of the step before.
    const __m256i places = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
                                            24, 25, 26, 27, 28, 29, 30, 31);
    const __m256i fresh = _mm256_cmpgt_epi8(places, _mm256_set1_epi8(static_cast<char>(kRowLanes - 1 - (bytes - i))));
    const std::size_t last = bytes - kRowLanes;
    step(_mm256_and_si256(load_bytes(a + last), fresh), _mm256_and_si256(load_bytes(b + last), fresh));
}

#endif

/// Whether |a[i] - b[i]| > limit for any of the bytes.
inline bool any_exceeds(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes, std::uint8_t limit) {
#if defined(__AVX2__)
    if (bytes >= kRowLanes) {
        const __m256i limits = _mm256_set1_epi8(static_cast<char>(limit));
        __m256i excess = _mm256_setzero_si256();
        for_row_lanes(a, b, bytes, [&](__m256i x, __m256i y) {
            excess = _mm256_or_si256(excess, _mm256_subs_epu8(absolute_difference(x, y), limits));
        });
        return !_mm256_testz_si256(excess, excess);
    }
#endif
    std::uint8_t excess = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
        const std::uint8_t difference = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        excess |= difference > limit;
    }
    return excess != 0;
}

/// The sum of |a[i] - b[i]|, for up to 2^16 bytes.
inline std::uint32_t sum_of_differences(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
#if defined(__AVX2__)
    if (bytes >= kRowLanes) {
        __m256i sums = _mm256_setzero_si256();
        for_row_lanes(a, b, bytes, [&](__m256i x, __m256i y) { sums = _mm256_add_epi64(sums, _mm256_sad_epu8(x, y)); });
        const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
        return static_cast<std::uint32_t>(_mm_cvtsi128_si32(half)) + static_cast<std::uint32_t>(_mm_extract_epi32(half, 2));
    }
#endif
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes; ++i) sum += static_cast<std::uint32_t>(a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]);
    return sum;
}

/// The sum of (a[i] - b[i])^2, for up to 2^15 bytes.
inline std::uint32_t sum_of_squares(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
#if defined(__AVX2__)
    if (bytes >= kRowLanes) {
        const __m256i zero = _mm256_setzero_si256();
        __m256i sums = zero;
        for_row_lanes(a, b, bytes, [&](__m256i x, __m256i y) {
            const __m256i difference = absolute_difference(x, y);
            const __m256i low = _mm256_unpacklo_epi8(difference, zero), high = _mm256_unpackhi_epi8(difference, zero);
            sums = _mm256_add_epi32(sums, _mm256_add_epi32(_mm256_madd_epi16(low, low), _mm256_madd_epi16(high, high)));
        });
        __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
        half = _mm_add_epi32(half, _mm_srli_si128(half, 8));
        return static_cast<std::uint32_t>(_mm_cvtsi128_si32(half)) + static_cast<std::uint32_t>(_mm_extract_epi32(half, 1));
    }
#endif
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
        const int difference = a[i] - b[i];
        sum += static_cast<std::uint32_t>(difference * difference);
    }
    return sum;
}

}  // namespace
