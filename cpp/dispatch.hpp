// Which vector levels this machine can run, and the kernels of each.
#pragma once

#include <vector>

#define PIXTRIM_LEVEL baseline
#include "kernels.hpp"
#undef PIXTRIM_LEVEL

namespace pixtrim {

/// The kernels of one level. A kernel is declared in kernels.hpp and listed here and in dispatch.cpp.
struct Kernels {
    const char* level;
    decltype(&baseline::change_bits) change_bits;
    decltype(&baseline::row_counts) row_counts;
    decltype(&baseline::column_counts) column_counts;
    decltype(&baseline::gather) gather;
    decltype(&baseline::resample) resample;
    decltype(&baseline::match_blocks) match_blocks;
    decltype(&baseline::predict) predict;
    decltype(&baseline::landmarks) landmarks;
    decltype(&baseline::luma) luma;
    decltype(&baseline::find_seams) find_seams;
    decltype(&baseline::kept_lengths) kept_lengths;
    decltype(&baseline::drop_seams) drop_seams;
    decltype(&baseline::transpose) transpose;
    decltype(&baseline::marginals) marginals;
};

/// The levels that this machine runs, from the narrowest ("baseline") to the widest; looked up once.
const std::vector<Kernels>& levels();

}  // namespace pixtrim
