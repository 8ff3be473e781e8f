// From where each token of a picture can be taken. The tokens are settled one after the other, as each prediction depends on
// what became of the tokens before.
//
// A source is an index of a token, or the number of tokens times (1 + k) plus the index for displacement k of the reference. The
// token that a source starts from is therefore its remainder by the number of tokens.
#include "blocks.hpp"
#include "kernels.hpp"

namespace pixtrim::PIXTRIM_LEVEL {
namespace {

constexpr std::int32_t kNone = -1;

/// The tokens, and the sources of those that are settled.
struct Coder {
    Tokens tokens;
    Tolerance tolerance;
    BlockSize size;
    std::int32_t count;
    std::int32_t* sources;
};

inline Block block_of_token(const Coder& coder, std::int32_t token) {
    const auto index = static_cast<std::uint32_t>(token), columns = static_cast<std::uint32_t>(coder.tokens.columns);
    return block_at(coder.tokens.picture, index / columns * coder.tokens.height, index % columns * coder.tokens.width);
}

/// The block of the reference for a token at displacement k; false where it does not lie wholly inside.
inline bool find_in_reference(const Coder& coder, std::int32_t token, std::size_t k, Block& block) {
    const Tokens& tokens = coder.tokens;
    const std::size_t index = static_cast<std::size_t>(token);
    const std::int64_t y = static_cast<std::int64_t>(index / tokens.columns * tokens.height) + tokens.offsets[k].y;
    const std::int64_t x = static_cast<std::int64_t>(index % tokens.columns * tokens.width) + tokens.offsets[k].x;
    if (y < 0 || y + static_cast<std::int64_t>(tokens.height) > static_cast<std::int64_t>(tokens.reference.height)) return false;
    if (x < 0 || x + static_cast<std::int64_t>(tokens.width) > static_cast<std::int64_t>(tokens.reference.width)) return false;
    block = block_at(tokens.reference, static_cast<std::size_t>(y), static_cast<std::size_t>(x));
    return true;
}

/// The pixels of a source that a token has.
inline Block block_of(const Coder& coder, std::int32_t source) {
    if (source < coder.count) return block_of_token(coder, source);
    const auto number = static_cast<std::uint32_t>(source), count = static_cast<std::uint32_t>(coder.count);
    Block block{nullptr, 0};
    find_in_reference(coder, static_cast<std::int32_t>(number % count), number / count - 1, block);
    return block;
}

inline bool similar(const Coder& coder, std::int32_t source, std::int32_t other) {
    return source == other || within(block_of(coder, source), block_of(coder, other), coder.size, coder.tolerance);
}

/// Gives a token its source, and returns that: the first of the predictions that matches, some of which may be kNone; else the
/// first displacement that does; else itself.
inline std::int32_t settle(const Coder& coder, std::int32_t token, const std::int32_t* predictions, std::size_t prediction_count) {
    const Block block = block_of_token(coder, token);
    std::int32_t tried = kNone;
    for (std::size_t i = 0; i < prediction_count; ++i) {
        if (predictions[i] == tried || predictions[i] == kNone) continue;
        tried = predictions[i];
        if (within(block, block_of(coder, tried), coder.size, coder.tolerance)) return coder.sources[token] = tried;
    }
    for (std::size_t k = 0; k < coder.tokens.offset_count; ++k) {
        Block displaced;
        if (find_in_reference(coder, token, k, displaced) && within(block, displaced, coder.size, coder.tolerance)) {
            return coder.sources[token] = token + coder.count * static_cast<std::int32_t>(k + 1);
        }
    }
    return coder.sources[token] = token;
}

inline std::int32_t settle(const Coder& coder, std::int32_t token, std::int32_t prediction) {
    return settle(coder, token, &prediction, 1);
}

/// The sources of the tokens around one; kNone outside the picture.
struct Neighbours {
    std::int32_t left, above, above_left, above_right;
};

inline Neighbours neighbours_of(const Coder& coder, std::size_t row, std::size_t column) {
    const std::size_t columns = coder.tokens.columns;
    const std::int32_t* here = coder.sources + row * columns + column;
    const bool left = column > 0, above = row > 0, right = column + 1 < columns;
    return {left ? *(here - 1) : kNone, above ? *(here - columns) : kNone, left && above ? *(here - columns - 1) : kNone,
            above && right ? *(here - columns + 1) : kNone};
}

/// The neighbour on the left, or the one above where an upright edge runs between the two columns.
inline std::int32_t edge_prediction(const Coder& coder, const Neighbours& near) {
    if (near.left == kNone) return near.above;
    if (near.above == kNone || near.above == near.left || near.above_left == near.above) return near.left;
    const bool upright = similar(coder, near.above_left, near.left) && !similar(coder, near.above_left, near.above);
    return upright ? near.above : near.left;
}

void settle_in_order(const Coder& coder, bool serpentine) {
    std::int32_t source = kNone;
    const auto columns = static_cast<std::int32_t>(coder.tokens.columns);
    for (std::int32_t row = 0; row < coder.count / columns; ++row) {
        const std::int32_t first = row * columns;
        for (std::int32_t i = 0; i < columns; ++i) {
            source = settle(coder, serpentine && row % 2 ? first + columns - 1 - i : first + i, source);
        }
    }
}

void settle_by_edges(const Coder& coder) {
    std::int32_t token = 0;
    for (std::size_t row = 0; row < coder.tokens.rows; ++row) {
        for (std::size_t column = 0; column < coder.tokens.columns; ++column, ++token) {
            settle(coder, token, edge_prediction(coder, neighbours_of(coder, row, column)));
        }
    }
}

void settle_near(const Coder& coder, Notes notes) {
    std::int32_t ground = kNone, token = 0;
    const auto uses = [&](std::int32_t source) -> std::int32_t& { return notes.uses[source % coder.count]; };
    for (std::size_t row = 0; row < coder.tokens.rows; ++row) {
        for (std::size_t column = 0; column < coder.tokens.columns; ++column, ++token) {
            const Neighbours near = neighbours_of(coder, row, column);
            const std::int32_t predictions[] = {edge_prediction(coder, near), near.left,       near.above,
                                                near.above_right,             near.above_left, ground};
            const std::int32_t source = settle(coder, token, predictions, 6);
            if (++uses(source) > (ground == kNone ? 0 : uses(ground))) ground = source;
        }
    }
}

/// What a search for a token's contents finds: the first token entered that has exactly the same, or kNone and the place for it.
struct Found {
    std::int32_t twin;
    std::uint64_t hash;
    std::size_t slot;
};

inline Found find_twin(const Coder& coder, Notes notes, std::int32_t token) {
    const Block block = block_of_token(coder, token);
    const std::uint64_t hash = hash_of(block, coder.size);
    std::size_t slot = static_cast<std::size_t>(hash) & (notes.slot_count - 1);
    for (; notes.slots[slot]; slot = (slot + 1) & (notes.slot_count - 1)) {
        const std::int32_t other = notes.slots[slot] - 1;
        if (notes.sums[other] != hash) continue;
        if (within(block, block_of_token(coder, other), coder.size, {Measure::difference, 0})) return {other, hash, slot};
    }
    return {kNone, hash, slot};
}

inline void enter(Notes notes, std::int32_t token, const Found& found) {
    notes.slots[found.slot] = token + 1;
    notes.sums[token] = found.hash;
}

void settle_by_contents(const Coder& coder, Notes notes) {
    for (std::int32_t token = 0; token < coder.count; ++token) {
        const Found found = find_twin(coder, notes, token);
        if (found.twin != kNone) {
            coder.sources[token] = found.twin;
        } else if (settle(coder, token, kNone) == token) {
            enter(notes, token, found);
        }
    }
}

/// Looks at every kept token, but only at those whose bytes sum up to about the same.
void settle_by_search(const Coder& coder, Notes notes) {
    const std::uint64_t far = reach(coder.size, coder.tolerance);
    std::size_t kept = 0;  // their sums and, as labels, their indices
    for (std::int32_t token = 0; token < coder.count; ++token) {
        const Block block = block_of_token(coder, token);
        const std::uint64_t sum = sum_of(block, coder.size);
        std::int32_t found = kNone;
        for (std::size_t i = 0; i < kept && found == kNone; ++i) {
            if ((sum > notes.sums[i] ? sum - notes.sums[i] : notes.sums[i] - sum) > far) continue;
            if (within(block, block_of_token(coder, notes.labels[i]), coder.size, coder.tolerance)) found = notes.labels[i];
        }
        if (found != kNone) {
            coder.sources[token] = found;
        } else if (settle(coder, token, kNone) == token) {
            notes.labels[kept] = token;
            notes.sums[kept++] = sum;
        }
    }
}

}  // namespace

void predict(Tokens tokens, Selector selector, Tolerance tolerance, Notes notes, std::int32_t* sources) {
    const Coder coder{tokens, tolerance, {tokens.height, 3 * tokens.width},
                      static_cast<std::int32_t>(tokens.rows * tokens.columns), sources};
    switch (selector) {
        case Selector::raster: return settle_in_order(coder, false);
        case Selector::serpentine: return settle_in_order(coder, true);
        case Selector::pred_2d: return settle_by_edges(coder);
        case Selector::pred_near: return settle_near(coder, notes);
        case Selector::unique:
            return tolerance.measure == Measure::difference ? settle_by_contents(coder, notes) : settle_by_search(coder, notes);
    }
}

}  // namespace pixtrim::PIXTRIM_LEVEL
