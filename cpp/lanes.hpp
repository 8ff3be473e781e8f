// The one operation on bytes that compilers do not find in a plain loop, per vector level. The only place with intrinsics.
#pragma once

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

}  // namespace
