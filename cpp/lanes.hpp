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

constexpr std::size_t kSumLanes = 32;     // sums of seams worked out at a time
constexpr std::size_t kEnergyLanes = 16;  // energies likewise
constexpr std::uint8_t kForbidden = 255;  // an energy that no seam crosses
constexpr std::uint16_t kNoPath = 65535;  // the sum of a pixel that no seam reaches; it stays, as additions saturate

#if defined(__AVX512BW__)

/// The sums above kSumLanes pixels, and those to the left and the right of them. kAlone: nothing is there beside them, and what the
/// outermost lanes get has no meaning; nor has the machine to wait then until sums that were just written can be read.
struct Above {
    __m512i left, middle, right;
};

template <bool kAlone>
inline Above sums_above(const std::uint16_t* above) {
    const __m512i middle = _mm512_loadu_si512(above);
    if (!kAlone) return {_mm512_loadu_si512(above - 1), middle, _mm512_loadu_si512(above + 1)};
    // With a mask that takes all: GCC 12 warns of the plain form.
    const __m512i high = _mm512_maskz_alignr_epi64(0xff, middle, middle, 6), low = _mm512_maskz_alignr_epi64(0xff, middle, middle, 2);
    return {_mm512_alignr_epi8(middle, high, 14), middle, _mm512_alignr_epi8(low, middle, 2)};
}

#endif

/// Adds the energies of kSumLanes pixels to the least of the three sums above each. `closed` is kNoPath where no pixel is left,
/// else 0. kProtected: some energies are kForbidden.
template <bool kProtected, bool kAlone>
inline void add_energies(const std::uint16_t* above, const std::uint8_t* energies, const std::uint16_t* closed,
                         std::uint16_t* sums) {
#if defined(__AVX512BW__)
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(energies));
    const Above from = sums_above<kAlone>(above);
    __m512i sum = _mm512_min_epu16(_mm512_min_epu16(from.left, from.right), from.middle);
    sum = _mm512_adds_epu16(sum, _mm512_cvtepu8_epi16(bytes));
    if (kProtected) {
        const __mmask32 never = _mm256_cmpeq_epi8_mask(bytes, _mm256_set1_epi8(static_cast<char>(kForbidden)));
        sum = _mm512_mask_blend_epi16(never, sum, _mm512_set1_epi16(-1));
    }
    if (closed) sum = _mm512_or_si512(sum, _mm512_loadu_si512(closed));
    _mm512_storeu_si512(sums, sum);
#elif defined(__AVX2__)
    const auto at = [](const std::uint16_t* values) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)); };
    for (std::size_t i = 0; i < kSumLanes; i += 16) {
        const __m256i energy = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(energies + i)));
        const __m256i sides = _mm256_min_epu16(at(above + i - 1), at(above + i + 1));
        __m256i sum = _mm256_adds_epu16(_mm256_min_epu16(sides, at(above + i)), energy);
        if (kProtected) sum = _mm256_or_si256(sum, _mm256_cmpeq_epi16(energy, _mm256_set1_epi16(kForbidden)));
        if (closed) sum = _mm256_or_si256(sum, at(closed + i));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + i), sum);
    }
#else
    for (std::size_t i = 0; i < kSumLanes; ++i) {
        std::uint16_t least = above[i] < above[i - 1] ? above[i] : above[i - 1];
        least = above[i + 1] < least ? above[i + 1] : least;
        std::uint16_t sum = static_cast<std::uint16_t>(least + energies[i]);
        sum = sum < least ? kNoPath : sum;
        if (kProtected) sum = energies[i] == kForbidden ? kNoPath : sum;
        sums[i] = closed ? sum | closed[i] : sum;
    }
#endif
}

/// As add_energies, with the energies of the edges that a seam would make: what a step to the left or to the right costs more.
template <bool kProtected, bool kAlone>
inline void add_forward(const std::uint16_t* above, const std::uint8_t* luma_above, const std::uint8_t* luma,
                        const std::uint8_t* bias, const std::uint16_t* closed, std::uint16_t* sums) {
#if defined(__AVX2__)
    const __m256i left = load_bytes(luma - 1), right = load_bytes(luma + 1), over = load_bytes(luma_above);
    __m256i energy = absolute_difference(left, right);
    const __m256i to_left = absolute_difference(left, over), to_right = absolute_difference(right, over);
    const __m256i bias_here = load_bytes(bias);
    energy = _mm256_adds_epu8(energy, bias_here);
    energy = _mm256_min_epu8(energy, _mm256_set1_epi8(static_cast<char>(kForbidden - 1)));
    const __m256i never = _mm256_cmpeq_epi8(bias_here, _mm256_set1_epi8(static_cast<char>(kForbidden)));
#if defined(__AVX512BW__)
    const Above from = sums_above<kAlone>(above);
    const __m512i from_left = _mm512_adds_epu16(from.left, _mm512_cvtepu8_epi16(to_left));
    const __m512i from_right = _mm512_adds_epu16(from.right, _mm512_cvtepu8_epi16(to_right));
    __m512i sum = _mm512_min_epu16(_mm512_min_epu16(from_left, from_right), from.middle);
    sum = _mm512_adds_epu16(sum, _mm512_cvtepu8_epi16(energy));
    if (kProtected) sum = _mm512_or_si512(sum, _mm512_cvtepi8_epi16(never));
    if (closed) sum = _mm512_or_si512(sum, _mm512_loadu_si512(closed));
    _mm512_storeu_si512(sums, sum);
#else
    const auto at = [](const std::uint16_t* values) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)); };
    const auto half = [](__m256i bytes, std::size_t i) {
        return i ? _mm256_extracti128_si256(bytes, 1) : _mm256_castsi256_si128(bytes);
    };
    for (std::size_t i = 0; i < kSumLanes; i += 16) {
        const __m256i from_left = _mm256_adds_epu16(at(above + i - 1), _mm256_cvtepu8_epi16(half(to_left, i)));
        const __m256i from_right = _mm256_adds_epu16(at(above + i + 1), _mm256_cvtepu8_epi16(half(to_right, i)));
        __m256i sum = _mm256_min_epu16(_mm256_min_epu16(from_left, from_right), at(above + i));
        sum = _mm256_adds_epu16(sum, _mm256_cvtepu8_epi16(half(energy, i)));
        if (kProtected) sum = _mm256_or_si256(sum, _mm256_cvtepi8_epi16(half(never, i)));
        if (closed) sum = _mm256_or_si256(sum, at(closed + i));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + i), sum);
    }
#endif
#else
    const auto apart = [](int a, int b) { return a > b ? a - b : b - a; };
    const auto plus = [](int a, int b) { return a + b < kNoPath ? a + b : int{kNoPath}; };
    for (std::size_t i = 0; i < kSumLanes; ++i) {
        const int left = luma[static_cast<std::ptrdiff_t>(i) - 1], right = luma[i + 1];
        int energy = apart(left, right) + bias[i];
        energy = energy < kForbidden - 1 ? energy : kForbidden - 1;
        const int from_left = plus(above[static_cast<std::ptrdiff_t>(i) - 1], apart(left, luma_above[i]));
        const int from_right = plus(above[i + 1], apart(right, luma_above[i]));
        int least = from_left < from_right ? from_left : from_right;
        least = above[i] < least ? above[i] : least;
        int sum = plus(least, energy);
        if (kProtected) sum = bias[i] == kForbidden ? int{kNoPath} : sum;
        sums[i] = static_cast<std::uint16_t>(closed ? sum | closed[i] : sum);
    }
#endif
}

/// add_forward for twice as many pixels, none of which is closed.
template <bool kProtected>
inline void add_forward_twice(const std::uint16_t* above, const std::uint8_t* luma_above, const std::uint8_t* luma,
                              const std::uint8_t* bias, std::uint16_t* sums) {
#if defined(__AVX512BW__)
    const auto apart = [](__m512i a, __m512i b) { return _mm512_sub_epi8(_mm512_max_epu8(a, b), _mm512_min_epu8(a, b)); };
    const auto half = [](__m512i bytes, int i) {  // with masks that take all, as above
        return i ? _mm512_maskz_extracti64x4_epi64(0xf, bytes, 1) : _mm512_maskz_extracti64x4_epi64(0xf, bytes, 0);
    };
    const __m512i left = _mm512_loadu_si512(luma - 1), right = _mm512_loadu_si512(luma + 1);
    const __m512i over = _mm512_loadu_si512(luma_above), bias_here = _mm512_loadu_si512(bias);
    const __m512i to_left = apart(left, over), to_right = apart(right, over);
    const __m512i energy = _mm512_min_epu8(_mm512_adds_epu8(apart(left, right), bias_here),
                                           _mm512_set1_epi8(static_cast<char>(kForbidden - 1)));
    const __mmask64 never = _mm512_cmpeq_epi8_mask(bias_here, _mm512_set1_epi8(static_cast<char>(kForbidden)));
    for (int i = 0; i < 2; ++i, above += kSumLanes, sums += kSumLanes) {
        const Above from = sums_above<false>(above);
        const __m512i from_left = _mm512_adds_epu16(from.left, _mm512_cvtepu8_epi16(half(to_left, i)));
        const __m512i from_right = _mm512_adds_epu16(from.right, _mm512_cvtepu8_epi16(half(to_right, i)));
        __m512i sum = _mm512_min_epu16(_mm512_min_epu16(from_left, from_right), from.middle);
        sum = _mm512_adds_epu16(sum, _mm512_cvtepu8_epi16(half(energy, i)));
        if (kProtected) sum = _mm512_mask_blend_epi16(static_cast<__mmask32>(never >> 32 * i), sum, _mm512_set1_epi16(-1));
        _mm512_storeu_si512(sums, sum);
    }
#else
    add_forward<kProtected, false>(above, luma_above, luma, bias, nullptr, sums);
    add_forward<kProtected, false>(above + kSumLanes, luma_above + kSumLanes, luma + kSumLanes, bias + kSumLanes, nullptr,
                                   sums + kSumLanes);
#endif
}

/// The energies of kEnergyLanes pixels: |right - left| + |below - above| + bias, at most 254; kForbidden where the bias is.
inline void gradient_energies(const std::uint8_t* above, const std::uint8_t* row, const std::uint8_t* below,
                              const std::uint8_t* bias, std::uint8_t* energies) {
#if defined(__AVX2__)
    const auto at = [](const std::uint8_t* bytes) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)); };
    const auto apart = [](__m128i a, __m128i b) { return _mm_or_si128(_mm_subs_epu8(a, b), _mm_subs_epu8(b, a)); };
    const __m128i forbidden = _mm_set1_epi8(static_cast<char>(kForbidden)), bias_here = at(bias);
    const __m128i slopes = _mm_adds_epu8(apart(at(row - 1), at(row + 1)), apart(at(above), at(below)));
    const __m128i energy = _mm_min_epu8(_mm_adds_epu8(slopes, bias_here), _mm_set1_epi8(static_cast<char>(kForbidden - 1)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(energies), _mm_or_si128(energy, _mm_cmpeq_epi8(bias_here, forbidden)));
#else
    for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(kEnergyLanes); ++i) {
        const int across = row[i + 1] > row[i - 1] ? row[i + 1] - row[i - 1] : row[i - 1] - row[i + 1];
        const int down = below[i] > above[i] ? below[i] - above[i] : above[i] - below[i];
        const int energy = across + down + bias[i];
        energies[i] = static_cast<std::uint8_t>(bias[i] == kForbidden      ? kForbidden
                                                : energy < kForbidden - 1 ? energy
                                                                          : kForbidden - 1);
    }
#endif
}

}  // namespace
