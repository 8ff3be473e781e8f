// The comparison of blocks and the kernel predict restated plainly: by contents, with no thought of speed.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <map>
#include <vector>

#include "views.hpp"

namespace pixtrim {

using Bytes = std::vector<std::uint8_t>;

/// A metric of the Python function as a number, with a limit.
struct Rule {
    Measure measure;
    std::uint64_t limit;

    bool match(const Bytes& a, const Bytes& b) const {
        std::uint64_t largest = 0, sum = 0, squares = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
            const auto difference = static_cast<std::uint64_t>(std::abs(a[i] - b[i]));
            largest = std::max(largest, difference);
            sum += difference;
            squares += difference * difference;
        }
        return (measure == Measure::sum ? sum : measure == Measure::squares ? squares : largest) <= limit;
    }
};

inline Bytes block(Picture picture, std::size_t y, std::size_t x, std::size_t height, std::size_t width) {
    Bytes bytes;
    for (std::size_t row = y; row < y + height; ++row) {
        const std::uint8_t* first = picture.pixels + 3 * (row * picture.width + x);
        bytes.insert(bytes.end(), first, first + 3 * width);
    }
    return bytes;
}

/// The definition of predict, by looking up contents.
struct Prediction {
    Tokens tokens;
    Selector selector;
    Rule rule;
    std::int32_t count, columns;
    std::vector<std::int32_t> sources;
    std::map<std::int32_t, int> uses{};
    std::int32_t top = -1;

    Prediction(const Tokens& in, Selector by, Rule with)
        : tokens(in), selector(by), rule(with), count(static_cast<std::int32_t>(in.rows * in.columns)),
          columns(static_cast<std::int32_t>(in.columns)), sources(static_cast<std::size_t>(count), -1) {}

    /// The pixels of a source; none where they do not lie inside the reference.
    Bytes bytes(std::int32_t source) const {
        const auto token = static_cast<std::size_t>(source % count);
        const std::size_t y = token / tokens.columns * tokens.height, x = token % tokens.columns * tokens.width;
        if (source < count) return block(tokens.picture, y, x, tokens.height, tokens.width);
        const Place offset = tokens.offsets[source / count - 1];
        const std::int64_t v = static_cast<std::int64_t>(y) + offset.y, u = static_cast<std::int64_t>(x) + offset.x;
        const Picture& from = tokens.reference;
        if (v < 0 || u < 0 || v + static_cast<std::int64_t>(tokens.height) > static_cast<std::int64_t>(from.height)) return {};
        if (u + static_cast<std::int64_t>(tokens.width) > static_cast<std::int64_t>(from.width)) return {};
        return block(from, static_cast<std::size_t>(v), static_cast<std::size_t>(u), tokens.height, tokens.width);
    }

    bool similar(std::int32_t a, std::int32_t b) const {
        const Bytes first = bytes(a), second = bytes(b);
        return a == b || (first.size() == second.size() && rule.match(first, second));
    }

    std::int32_t edges(std::int32_t token) const {
        const auto at = [&](std::int32_t back) { return sources[static_cast<std::size_t>(token - back)]; };
        if (token == 0) return -1;
        if (token < columns) return at(1);
        if (token % columns == 0) return at(columns);
        return similar(at(columns + 1), at(1)) && !similar(at(columns + 1), at(columns)) ? at(columns) : at(1);
    }

    /// What a token may be predicted from, in the order in which it is tried.
    std::vector<std::int32_t> near(std::int32_t token) const {
        const bool left = token % columns != 0, above = token >= columns, right = (token + 1) % columns != 0;
        std::vector<std::int32_t> found{edges(token)};
        const auto add = [&](bool there, std::int32_t back) {
            if (there) found.push_back(sources[static_cast<std::size_t>(token - back)]);
        };
        add(left, 1);
        add(above, columns);
        add(above && right, columns - 1);
        add(above && left, columns + 1);
        found.push_back(top);
        return found;
    }

    std::int32_t kept_like(std::int32_t token) const {
        for (std::int32_t i = 0; i < token; ++i) {
            if (sources[static_cast<std::size_t>(i)] == i && rule.match(bytes(i), bytes(token))) return i;
        }
        return -1;
    }

    void settle(std::int32_t token, const std::vector<std::int32_t>& predictions) {
        std::int32_t source = token;
        for (std::size_t i = 0; i < predictions.size() && source == token; ++i) {
            if (predictions[i] >= 0 && similar(token, predictions[i])) source = predictions[i];
        }
        for (std::size_t k = 0; k < tokens.offset_count && source == token; ++k) {
            const std::int32_t displaced = token + count * static_cast<std::int32_t>(k + 1);
            if (similar(token, displaced)) source = displaced;
        }
        sources[static_cast<std::size_t>(token)] = source;
        if (++uses[source] > uses[top]) top = source;
    }

    std::vector<std::int32_t> all() {
        std::int32_t before = -1;
        for (std::int32_t i = 0; i < count; ++i) {
            const bool turned = selector == Selector::serpentine && i / columns % 2;
            const std::int32_t token = turned ? i / columns * columns + columns - 1 - i % columns : i;
            settle(token, selector == Selector::pred_near ? near(token)
                          : selector == Selector::pred_2d ? std::vector{edges(token)}
                          : selector == Selector::unique  ? std::vector{kept_like(token)}
                                                          : std::vector{before});
            before = sources[static_cast<std::size_t>(token)];
        }
        return sources;
    }
};

}  // namespace pixtrim
