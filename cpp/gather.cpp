// Some rows and columns of a picture, moved together.
#include <cstring>

#include "kernels.hpp"

namespace pixtrim::PIXTRIM_LEVEL {
namespace {

constexpr std::size_t kStep = 32;    // bytes that a load and a store move
constexpr std::size_t kLong = 1024;  // bytes from which on the call of memcpy is worth its price

/// Copies a run without a call where it is short. The last step overlaps the one before.
inline void copy_run(std::uint8_t* to, const std::uint8_t* from, std::size_t bytes) {
    if (bytes >= kLong) {
        std::memcpy(to, from, bytes);
    } else if (bytes >= kStep) {
        for (std::size_t i = 0; i + kStep < bytes; i += kStep) std::memcpy(to + i, from + i, kStep);
        std::memcpy(to + bytes - kStep, from + bytes - kStep, kStep);
    } else {
        for (std::size_t i = 0; i < bytes; i += 3) std::memcpy(to + i, from + i, 3);
    }
}

}  // namespace

void gather(Picture picture, const std::int32_t* indices, Runs columns, Rows rows, Target target) {
    for (std::size_t y = rows.first; y < rows.last; ++y) {
        const std::uint8_t* from = picture.pixels + static_cast<std::size_t>(indices[y]) * 3 * picture.width;
        std::uint8_t* to = target.pixels + y * target.stride;
        for (const Run* run = columns.runs; run != columns.runs + columns.count; ++run) {
            copy_run(to, from + run->first, run->bytes);
            to += run->bytes;
        }
    }
}

}  // namespace pixtrim::PIXTRIM_LEVEL
