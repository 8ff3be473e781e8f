// Which blocks of a picture match blocks of another one.
#include "blocks.hpp"
#include "kernels.hpp"

namespace pixtrim::PIXTRIM_LEVEL {

void match_blocks(Picture picture, const Place* corners, Picture other, const Place* other_corners, std::size_t height,
                  std::size_t width, Tolerance tolerance, Rows pairs, bool* matches) {
    const auto block = [](const Picture& from, Place corner) {
        return block_at(from, static_cast<std::size_t>(corner.y), static_cast<std::size_t>(corner.x));
    };
    for (std::size_t i = pairs.first; i < pairs.last; ++i) {
        matches[i] = within(block(picture, corners[i]), block(other, other_corners[i]), {height, 3 * width}, tolerance);
    }
}

}  // namespace pixtrim::PIXTRIM_LEVEL
