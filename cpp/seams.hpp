// The memory that the search for seams works in.
#pragma once

#include <cstddef>

namespace {  // one copy per translation unit, hence per level

constexpr std::size_t kLine = 64;  // bytes of a line of the cache
constexpr std::size_t kMargin = 2 * kLine;  // bytes before the first pixel of a row and behind the last, for whole vectors

/// Lines of the cache for so many bytes; an odd number, so that rows below one another do not fall on the same part of it.
constexpr std::size_t lines_for(std::size_t bytes) { return ((bytes + kLine - 1) / kLine) | 1; }

/// The bytes from one row of a plane to the next, or of a plane of sums, which has two bytes for a pixel.
constexpr std::size_t plane_stride(std::size_t width) { return kLine * lines_for(width + 2 * kMargin); }
constexpr std::size_t sums_stride(std::size_t width) { return kLine * lines_for(2 * width + 2 * kMargin); }

constexpr std::size_t kMostPerPass = 4;
constexpr std::size_t kBlock = 15;  // rows from one whose sums are kept to the next

/// The number of rows of sums.
constexpr std::size_t sums_rows(std::size_t height) { return height / kBlock + 3; }

}  // namespace
