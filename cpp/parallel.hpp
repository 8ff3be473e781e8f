// Work on bands of rows, each on its own thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

#include "views.hpp"

namespace pixtrim {

/// Calls work(Rows) for bands that cover 0 <= y < height, on up to `threads` threads, this one included. The work must not
/// throw, and must write nothing that another band reads, so that the result does not depend on the number of threads.
template <class Work>
void for_bands(std::size_t height, std::size_t threads, Work work) {
    const std::size_t bands = std::max<std::size_t>(1, std::min(threads, height));
    const auto band = [&](std::size_t i) { work(Rows{height * i / bands, height * (i + 1) / bands}); };
    std::vector<std::thread> helpers;
    helpers.reserve(bands - 1);
    for (std::size_t i = 1; i < bands; ++i) {
        try {
            helpers.emplace_back(band, i);
        } catch (const std::system_error&) {  // the system has no thread to give: the band is done here
            band(i);
        }
    }
    band(0);
    for (std::thread& helper : helpers) helper.join();
}

}  // namespace pixtrim
