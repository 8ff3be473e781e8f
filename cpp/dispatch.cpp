#include "dispatch.hpp"

#ifdef PIXTRIM_X86_LEVELS  // set by CMake where it compiles the wider levels
#define PIXTRIM_LEVEL avx2
#include "kernels.hpp"
#undef PIXTRIM_LEVEL
#define PIXTRIM_LEVEL avx512
#include "kernels.hpp"
#undef PIXTRIM_LEVEL
#ifdef _MSC_VER
#include <intrin.h>
#endif
#endif

#define PIXTRIM_KERNELS(level)                                                                                       \
    Kernels {                                                                                                        \
        #level, level::change_bits, level::row_counts, level::column_counts, level::gather, level::resample,         \
            level::match_blocks, level::predict, level::landmarks, level::luma, level::find_seams,                   \
            level::kept_lengths, level::drop_seams, level::transpose, level::marginals                               \
    }

namespace pixtrim {
namespace {

#if defined(PIXTRIM_X86_LEVELS) && defined(_MSC_VER)

/// Bits of CPUID leaf 7 (EBX), and the register state that the operating system saves (XCR0).
bool cpu_has(unsigned features, unsigned long long state) {
    int leaf[4];
    __cpuid(leaf, 0);
    if (leaf[0] < 7) return false;
    __cpuid(leaf, 1);
    if (!(leaf[2] >> 27 & 1) || (_xgetbv(0) & state) != state) return false;
    __cpuidex(leaf, 7, 0);
    return (static_cast<unsigned>(leaf[1]) & features) == features;
}

bool has_avx2() { return cpu_has(1u << 3 | 1u << 5 | 1u << 8, 0x06); }  // BMI1, AVX2, BMI2
bool has_avx512() { return cpu_has(1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31, 0xe6); }  // F, DQ, CD, BW, VL

#elif defined(PIXTRIM_X86_LEVELS)

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"); }
bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

#endif

std::vector<Kernels> detect() {
    std::vector<Kernels> found{PIXTRIM_KERNELS(baseline)};
#ifdef PIXTRIM_X86_LEVELS
    if (has_avx2()) {
        found.push_back(PIXTRIM_KERNELS(avx2));
        if (has_avx512()) found.push_back(PIXTRIM_KERNELS(avx512));
    }
#endif
    return found;
}

}  // namespace

const std::vector<Kernels>& levels() {
    static const std::vector<Kernels> found = detect();
    return found;
}

}  // namespace pixtrim
