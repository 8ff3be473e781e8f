// Runs every kernel at every vector level on random and edge-size inputs, against plain loops that restate the definition.
// Built with AddressSanitizer and UndefinedBehaviorSanitizer: each array has exactly its size on the heap, so that a read or
// write past an end is caught. Prints one line and exits with 0, or says what differed and exits with 1.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "blocks.hpp"
#include "carving.hpp"
#include "dispatch.hpp"
#include "parallel.hpp"
#include "prediction.hpp"
#include "seams.hpp"

namespace {

using namespace pixtrim;
using Words = std::vector<std::uint64_t>;
using Counts = std::vector<std::int32_t>;

std::mt19937 generator(20240229);

std::size_t random_below(std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(generator); }

struct Case {
    std::vector<std::uint8_t> pixels;
    std::size_t height, width;
    int threshold;

    std::size_t words_per_row() const { return (width + 63) / 64; }
    Picture picture() const { return {pixels.data(), height, width}; }
};

/// Noise of a random amplitude, so that some pictures change nowhere, some everywhere and most in places.
Case random_case(std::size_t height, std::size_t width) {
    Case c{std::vector<std::uint8_t>(3 * height * width), height, width, static_cast<int>(random_below(256))};
    const std::size_t amplitude = std::size_t{1} << random_below(9);
    for (std::uint8_t& value : c.pixels) value = static_cast<std::uint8_t>(random_below(amplitude));
    if (random_below(4) == 0) c.threshold = static_cast<int>(random_below(2)) * 255;
    return c;
}

bool differs(const Case& c, std::size_t y, std::size_t x, std::size_t other_y, std::size_t other_x) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
        const int a = c.pixels[3 * (y * c.width + x) + channel], b = c.pixels[3 * (other_y * c.width + other_x) + channel];
        if (std::abs(a - b) > c.threshold) return true;
    }
    return false;
}

bool bit(const Words& words, std::size_t words_per_row, std::size_t y, std::size_t x) {
    return words[y * words_per_row + x / 64] >> x % 64 & 1;
}

void expect(bool good, const char* kernel, const char* level, const Case& c) {
    if (good) return;
    std::printf("%s at level %s is wrong: %zu x %zu pixels, threshold %d\n", kernel, level, c.width, c.height, c.threshold);
    std::exit(1);
}

Words check_change_bits(const Kernels& kernels, const Case& c, std::size_t threads) {
    const std::size_t words = c.words_per_row();
    Words down(c.height * words, 0xa5a5a5a5a5a5a5a5u), right(down), down_expected(down.size()), right_expected(down.size());
    for_bands(c.height, threads, [&](Rows rows) {
        kernels.change_bits(c.picture(), c.threshold, rows, {down.data(), words}, {right.data(), words});
    });
    for (std::size_t y = 0; y < c.height; ++y) {
        for (std::size_t x = 0; x < c.width; ++x) {
            const std::uint64_t mark = std::uint64_t{1} << x % 64;
            if (y > 0 && differs(c, y, x, y - 1, x)) down_expected[y * words + x / 64] |= mark;
            if (x > 0 && differs(c, y, x, y, x - 1)) right_expected[y * words + x / 64] |= mark;
        }
    }
    expect(down == down_expected && right == right_expected, "change_bits", kernels.level, c);
    return right;
}

void check_counts(const Kernels& kernels, const Case& c, const Words& words) {
    const std::size_t y0 = random_below(c.height + 1), y1 = y0 + random_below(c.height - y0 + 1);
    const std::size_t x0 = random_below(c.width + 1), x1 = x0 + random_below(c.width - x0 + 1);
    for (const Box box : {Box{0, c.height, 0, c.width}, Box{y0, y1, x0, x1}, Box{0, c.height, x0, x0}, Box{y0, y0, x0, x1}}) {
        Counts rows(box.y1 - box.y0, -1), columns(box.x1 - box.x0, -1);
        Counts rows_expected(rows.size()), columns_expected(columns.size());
        kernels.row_counts({words.data(), c.words_per_row()}, box, rows.data());
        kernels.column_counts({words.data(), c.words_per_row()}, box, columns.data());
        for (std::size_t y = box.y0; y < box.y1; ++y) {
            for (std::size_t x = box.x0; x < box.x1; ++x) {
                rows_expected[y - box.y0] += bit(words, c.words_per_row(), y, x);
                columns_expected[x - box.x0] += bit(words, c.words_per_row(), y, x);
            }
        }
        expect(rows == rows_expected, "row_counts", kernels.level, c);
        expect(columns == columns_expected, "column_counts", kernels.level, c);
    }
}

void check_marginals(const Kernels& kernels, const Case& c) {
    std::vector<float> values(c.height * c.width);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(c.pixels[i]) / 255.0f;
    std::vector<std::int64_t> sums(c.width + c.height), sums_expected(sums.size());
    std::vector<std::int32_t> peaks(c.width + c.height, -1), peaks_expected(peaks.size());
    std::vector<std::uint32_t> parts(c.width);
    std::vector<std::int32_t> row(c.width);
    const auto run = [&] {
        return kernels.marginals(values.data(), c.height, c.width,
                                 {{sums.data(), peaks.data()}, {sums.data() + c.width, peaks.data() + c.width},
                                  parts.data(), row.data()});
    };
    for (std::size_t y = 0; y < c.height; ++y) {
        for (std::size_t x = 0; x < c.width; ++x) {
            const auto value = static_cast<std::int32_t>(values[y * c.width + x] * 65536.0f + 0.5f);
            for (std::size_t line : {x, c.width + y}) {
                sums_expected[line] += value;
                peaks_expected[line] = std::max(peaks_expected[line], value);
            }
        }
    }
    expect(run() && sums == sums_expected && peaks == peaks_expected, "marginals", kernels.level, c);
    for (float wrong : {-1e-9f, 1.0001f, 1e30f, std::numeric_limits<float>::quiet_NaN()}) {
        values[random_below(values.size())] = wrong;
        expect(!run(), "marginals", kernels.level, c);
    }
}

void check_gather(const Kernels& kernels, const Case& c, std::size_t threads) {
    std::vector<std::int32_t> rows;
    std::vector<Run> runs;
    std::vector<std::size_t> columns;
    for (std::size_t y = 0; y < c.height; ++y) {
        if (random_below(3)) rows.push_back(static_cast<std::int32_t>(y));
    }
    for (std::size_t x = random_below(2); x < c.width; x += 1 + random_below(8)) {
        const std::size_t end = std::min(c.width, x + 1 + random_below(std::size_t{1} << random_below(12)));
        runs.push_back({3 * x, 3 * (end - x)});
        for (; x < end; ++x) columns.push_back(x);
    }
    const std::size_t stride = 3 * (columns.size() + 2);  // a pixel is left alone on either side
    std::vector<std::uint8_t> out(rows.size() * stride, 0xa5), expected(out);
    for_bands(rows.size(), threads, [&](Rows band) {
        kernels.gather(c.picture(), rows.data(), {runs.data(), runs.size()}, band, {out.data() + 3, stride});
    });
    for (std::size_t y = 0; y < rows.size(); ++y) {
        for (std::size_t i = 0; i < 3 * columns.size(); ++i) {
            expected[y * stride + 3 + i] = c.pixels[3 * (static_cast<std::size_t>(rows[y]) * c.width + columns[i / 3]) + i % 3];
        }
    }
    expect(out == expected, "gather", kernels.level, c);
}

/// Random weights, whose absolute values sum to as much as is allowed or to less.
struct Axis {
    std::vector<std::int32_t> starts;
    std::vector<std::int16_t> weights;
    std::size_t taps, stride;

    Weights view() const { return {starts.data(), weights.data(), taps, stride}; }
    std::int32_t weight(std::size_t i, std::size_t t) const { return weights[i * stride + t]; }
};

Axis random_axis(std::size_t size, std::size_t new_size) {
    const std::size_t taps = 1 + random_below(std::min<std::size_t>(size, 20));
    Axis axis{{}, {}, taps, (taps + kWeightBlock - 1) / kWeightBlock * kWeightBlock};
    axis.weights.resize(new_size * axis.stride);
    const bool negative = random_below(2), positive = !negative || random_below(2);
    for (std::size_t i = 0; i < new_size; ++i) {
        axis.starts.push_back(static_cast<std::int32_t>(random_below(size - taps + 1)));
        std::size_t left = 1 << 15;
        for (std::size_t t = 0; t < taps; ++t) {
            const std::size_t most = std::min<std::size_t>(left, 32767), drawn = t + 1 < taps ? random_below(most + 1) : most;
            const int weight = static_cast<int>(drawn);
            const bool below = negative && (!positive || random_below(2));
            axis.weights[i * axis.stride + t] = static_cast<std::int16_t>(below ? -weight : weight);
            left -= drawn;
        }
    }
    return axis;
}

void check_resample(const Kernels& kernels, const Case& c, std::size_t threads) {
    const std::size_t height = 1 + random_below(12), width = 1 + random_below(30), size = 3 * c.width;
    const Axis vertical = random_axis(c.height, height), horizontal = random_axis(c.width, width);
    std::vector<std::uint8_t> out(3 * width * height, 0xa5), expected;
    for_bands(height, threads, [&](Rows band) {
        std::vector<std::int16_t> scratch(size + kSlack);
        kernels.resample(c.picture(), vertical.view(), horizontal.view(), width, band, scratch.data(), {out.data(), 3 * width});
    });
    for (std::size_t y = 0; y < height; ++y) {
        std::vector<std::int64_t> row(size, 1 << 7);
        for (std::size_t i = 0; i < size; ++i) {
            for (std::size_t t = 0; t < vertical.taps; ++t) {
                row[i] += vertical.weight(y, t) * c.pixels[(static_cast<std::size_t>(vertical.starts[y]) + t) * size + i];
            }
            row[i] >>= 8;
        }
        for (std::size_t i = 0; i < 3 * width; ++i) {
            std::int64_t sum = 1 << 19;
            for (std::size_t t = 0; t < horizontal.taps; ++t) {
                sum += horizontal.weight(i / 3, t) * row[3 * (static_cast<std::size_t>(horizontal.starts[i / 3]) + t) + i % 3];
            }
            expected.push_back(static_cast<std::uint8_t>(std::clamp<std::int64_t>(sum >> 20, 0, 255)));
        }
    }
    expect(out == expected, "resample", kernels.level, c);
}

Rule random_rule(std::size_t values) {
    const std::uint64_t limit = random_below(3) ? random_below(6) : random_below(256);
    switch (random_below(4)) {
        case 0: return {Measure::difference, 0};
        case 1: return {Measure::largest, limit};
        case 2: return {Measure::sum, limit * values};
        default: return {Measure::squares, limit * limit * values};
    }
}

void check_match_blocks(const Kernels& kernels, const Case& c, const Case& other, std::size_t threads) {
    const std::size_t height = 1 + random_below(std::min({c.height, other.height, std::size_t{40}}));
    const std::size_t width = 1 + random_below(std::min({c.width, other.width, std::size_t{40}}));
    const Rule rule = random_rule(3 * height * width);
    const auto corner = [&](const Case& in) {
        return Place{static_cast<std::int32_t>(random_below(in.height - height + 1)),
                     static_cast<std::int32_t>(random_below(in.width - width + 1))};
    };
    std::vector<Place> corners, other_corners;
    for (int i = 0; i < 20; ++i) corners.push_back(corner(c)), other_corners.push_back(corner(other));
    const std::unique_ptr<bool[]> matches(new bool[corners.size()]);
    for_bands(corners.size(), threads, [&](Rows pairs) {
        kernels.match_blocks(c.picture(), corners.data(), other.picture(), other_corners.data(), height, width,
                             {rule.measure, rule.limit}, pairs, matches.get());
    });
    const auto bytes = [&](const Case& in, Place place) {
        return block(in.picture(), static_cast<std::size_t>(place.y), static_cast<std::size_t>(place.x), height, width);
    };
    for (std::size_t i = 0; i < corners.size(); ++i) {
        expect(matches[i] == rule.match(bytes(c, corners[i]), bytes(other, other_corners[i])), "match_blocks", kernels.level, c);
    }
}

/// A picture whose tokens are few different ones, some of them with a byte that is off by one.
Case random_tokens(std::size_t rows, std::size_t columns, std::size_t height, std::size_t width) {
    Case c{std::vector<std::uint8_t>(3 * rows * height * columns * width), rows * height, columns * width, 0};
    std::vector<Case> kinds;
    for (std::size_t i = 0, count = 1 + random_below(4); i < count; ++i) kinds.push_back(random_case(height, width));
    for (std::size_t token = 0; token < rows * columns; ++token) {
        Case kind = kinds[random_below(kinds.size())];
        if (random_below(6) == 0) kind.pixels[random_below(kind.pixels.size())] ^= 1;
        for (std::size_t y = 0; y < height; ++y) {
            const std::size_t to = 3 * ((token / columns * height + y) * c.width + token % columns * width);
            std::copy_n(&kind.pixels[3 * y * width], 3 * width, &c.pixels[to]);
        }
    }
    return c;
}

void check_predict(const Kernels& kernels) {
    const std::size_t height = 1 + random_below(6), width = 1 + random_below(40);
    const std::size_t rows = 1 + random_below(10), columns = 1 + random_below(10), count = rows * columns;
    const Case c = random_tokens(rows, columns, height, width);
    const Case reference = random_below(2) ? c : random_case(1 + random_below(20), 1 + random_below(200));
    std::vector<Place> offsets(random_below(4), Place{0, 0});
    for (std::size_t k = random_below(2); k < offsets.size(); ++k) {
        const auto away = [](std::size_t side) {
            const auto tokens = static_cast<std::int32_t>(side) * (static_cast<std::int32_t>(random_below(5)) - 2);
            return random_below(2) ? tokens : tokens + static_cast<std::int32_t>(random_below(5)) - 2;
        };
        offsets[k] = {away(height), away(width)};
    }
    const Tokens tokens{c.picture(), height, width, rows, columns, reference.picture(), offsets.data(), offsets.size()};
    const Rule rule = random_rule(3 * height * width);
    for (int number = 0; number <= static_cast<int>(Selector::unique); ++number) {
        const auto selector = static_cast<Selector>(number);
        std::size_t slot_count = 1;
        while (slot_count < 2 * count) slot_count *= 2;
        std::vector<std::int32_t> labels(count, 99), uses(count), slots(slot_count), sources(count, -1);
        std::vector<std::uint64_t> sums(count, 99);
        kernels.predict(tokens, selector, {rule.measure, rule.limit},
                        {labels.data(), uses.data(), sums.data(), slots.data(), slots.size()}, sources.data());
        expect(sources == Prediction(tokens, selector, rule).all(), "predict", kernels.level, c);
    }
}

/// Two tokens that differ although they have the same hash: contents alone decide.
void check_collision(const Kernels& kernels) {
    constexpr std::size_t kHeight = 2, kWidth = 16, kNext = 32;  // the word so many bytes behind the first follows it in its chain
    Case c = random_case(kHeight, 2 * kWidth);
    for (std::size_t y = 0; y < kHeight; ++y) std::copy_n(&c.pixels[6 * y * kWidth], 3 * kWidth, &c.pixels[(6 * y + 3) * kWidth]);
    const Block left = block_at(c.picture(), 0, 0), right = block_at(c.picture(), 0, kWidth);
    c.pixels[3 * kWidth] ^= 1;
    const std::uint64_t wrong = stirred(1, word_at(left.first)) ^ stirred(1, word_at(right.first));
    const std::uint64_t mended = word_at(right.first + kNext) ^ wrong;
    std::memcpy(&c.pixels[3 * kWidth + kNext], &mended, sizeof mended);
    const BlockSize size{kHeight, 3 * kWidth};
    expect(hash_of(left, size) == hash_of(right, size), "the making of a collision for predict", kernels.level, c);
    const Tokens tokens{c.picture(), kHeight, kWidth, 1, 2, {nullptr, 0, 0}, nullptr, 0};
    std::vector<std::int32_t> labels(2), uses(2), slots(4), sources(2, -1);
    std::vector<std::uint64_t> sums(2);
    kernels.predict(tokens, Selector::unique, {Measure::difference, 0},
                    {labels.data(), uses.data(), sums.data(), slots.data(), 4}, sources.data());
    expect(sources == std::vector<std::int32_t>{0, 1}, "predict", kernels.level, c);
}

/// The picture with most of its pixels in the colour of the first one.
Case thinned_out(Case c) {
    const std::size_t rarity = std::size_t{1} << random_below(7);
    for (std::size_t i = 1; i < c.height * c.width; ++i) {
        if (random_below(rarity)) std::copy_n(&c.pixels[0], 3, &c.pixels[3 * i]);
    }
    return c;
}

void check_landmarks(const Kernels& kernels, const Case& c) {
    const std::uint64_t rarity = random_below(2) ? 1 + random_below(9) : 1;
    std::vector<std::uint64_t> keys(c.height * c.width), expected_keys;
    std::vector<Place> places(keys.size()), expected_places;
    const std::size_t found = kernels.landmarks(c.picture(), rarity, {0, c.height}, keys.data(), places.data());
    for (std::size_t y = 0; y < c.height; ++y) {
        for (std::size_t x = 0; x + 32 <= c.width; ++x) {
            std::uint64_t hash = 0;
            int changes = 0;
            for (std::size_t i = x; i < x + 32; ++i) {
                const std::uint8_t* pixel = &c.pixels[3 * (y * c.width + i)];
                hash = hash * 0x9e3779b97f4a7c15u + (std::uint64_t{pixel[0]} << 16 | std::uint64_t{pixel[1]} << 8 | pixel[2]);
                changes += i > x && !std::equal(pixel, pixel + 3, pixel - 3);
            }
            hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
            hash ^= hash >> 32;
            if (hash % rarity || changes < 4) continue;
            expected_keys.push_back(hash);
            expected_places.push_back({static_cast<std::int32_t>(y), static_cast<std::int32_t>(x)});
        }
    }
    keys.resize(found);
    places.resize(found);
    const auto same = [](Place a, Place b) { return a.y == b.y && a.x == b.x; };
    expect(keys == expected_keys && std::equal(places.begin(), places.end(), expected_places.begin(), expected_places.end(), same),
           "landmarks", kernels.level, c);
}

std::vector<std::uint8_t> random_plane(std::size_t size, std::size_t forbidden) {
    std::vector<std::uint8_t> plane(size);
    const std::size_t amplitude = std::size_t{1} << random_below(9);
    for (std::uint8_t& value : plane) {
        value = static_cast<std::uint8_t>(forbidden && random_below(forbidden) == 0 ? 255 : random_below(amplitude));
    }
    return plane;
}

void check_dropping(const Kernels& kernels, const Case& c, const std::vector<std::uint16_t>& order, std::size_t height,
                    std::size_t width, std::size_t seams) {
    for (std::size_t size : {1, 3, 4}) {
        const std::vector<std::uint8_t> values = random_plane(size * height * width, 0);
        std::vector<std::uint8_t> kept(size * height * (width - seams)), expected, turned, kept_turned(kept);
        for (std::size_t i = 0; i < height * width; ++i) {
            if (order[i] == 0 || order[i] > seams) expected.insert(expected.end(), &values[size * i], &values[size * i] + size);
        }
        kernels.drop_seams(values.data(), order.data(), height, width, size, seams, true, kept.data());
        expect(kept == expected, "drop_seams", kernels.level, c);
        for (std::size_t i = 0; i < height * width; ++i) {
            const std::uint8_t* value = &values[size * (i % height * width + i / height)];
            turned.insert(turned.end(), value, value + size);
        }
        kernels.drop_seams(turned.data(), order.data(), width, height, size, seams, false, kept_turned.data());
        for (std::size_t i = 0; i < kept.size() / size; ++i) {
            const std::uint8_t* value = &kept_turned[size * (i % (width - seams) * height + i / (width - seams))];
            expect(std::equal(value, value + size, &kept[size * i]), "drop_seams", kernels.level, c);
        }
        if (size > 1) continue;
        std::vector<std::uint8_t> transposed(values.size()), again(values.size());
        kernels.transpose(values.data(), height, width, transposed.data());
        expect(transposed == turned, "transpose", kernels.level, c);
    }
}

void check_seams(const Kernels& kernels, const Case& c) {
    std::vector<std::uint8_t> levels(c.height * c.width), expected;
    for_bands(c.height, 2, [&](Rows rows) { kernels.luma(c.picture(), rows, levels.data()); });
    for (std::size_t i = 0; i < c.pixels.size(); i += 3) {
        expected.push_back(static_cast<std::uint8_t>((77 * c.pixels[i] + 150 * c.pixels[i + 1] + 29 * c.pixels[i + 2] + 128) / 256));
    }
    expect(levels == expected, "luma", kernels.level, c);
    const std::size_t height = 1 + random_below(70), width = 1 + random_below(random_below(4) ? 40 : 140);
    const std::vector<std::uint8_t> luma = random_plane(height * width, 0), bias = random_plane(height * width, random_below(2) * 30);
    SeamTask task{luma.data(), bias.data(), height, width, static_cast<SeamEnergy>(random_below(3)), 0, 1 + random_below(4),
                  random_below(4) ? (1u << 31) - 1 : random_below(60 * height)};
    task.seams = random_below(std::min<std::size_t>(width, 30));
    if (task.energy == SeamEnergy::importance) task.luma = nullptr;
    else if (random_below(3) == 0) task.bias = nullptr;
    const std::size_t plane = plane_stride(width) * height;
    std::vector<std::uint8_t> planes[3] = {std::vector<std::uint8_t>(plane), std::vector<std::uint8_t>(plane), std::vector<std::uint8_t>(plane)};
    std::vector<std::uint16_t> sums(sums_stride(width) / 2 * sums_rows(height)), places(height * task.seams), order(height * width, 7);
    const SeamMemory memory{task.energy == SeamEnergy::importance ? nullptr : planes[0].data(),
                            task.energy == SeamEnergy::importance || !task.bias ? nullptr : planes[1].data(),
                            task.energy == SeamEnergy::forward ? nullptr : planes[2].data(), sums.data(), places.data()};
    const std::size_t count = kernels.find_seams(task, memory, order.data());
    const Carving carving(task);
    expect(count == carving.count && order == carving.order, "find_seams", kernels.level, c);
    check_dropping(kernels, c, order, height, width, count);
}

void check(const Case& c) {
    const Case other = random_case(1 + random_below(12), 1 + random_below(70));
    for (const Kernels& kernels : levels()) {
        check_counts(kernels, c, check_change_bits(kernels, c, 1));
        check_change_bits(kernels, c, 3);
        check_counts(kernels, c, Words(c.height * c.words_per_row(), ~std::uint64_t{0}));
        for (std::size_t threads : {1, 3}) {
            check_gather(kernels, c, threads);
            check_resample(kernels, c, threads);
            check_match_blocks(kernels, c, random_below(2) ? c : other, threads);
        }
        for (int i = 0; i < 3; ++i) check_predict(kernels);
        check_collision(kernels);
        check_landmarks(kernels, thinned_out(c));
        check_seams(kernels, c);
        check_marginals(kernels, c);
    }
}

}  // namespace

int main() {
    std::size_t cases = 0;
    for (std::size_t width : {1, 2, 3, 20, 21, 22, 42, 43, 63, 64, 65, 127, 128, 129, 191, 192, 193, 2047, 2048, 2049}) {
        for (std::size_t height : {1, 2, 3, 5}) ++cases, check(random_case(height, width));
    }
    for (std::size_t height : {254, 255, 256, 510, 511, 1021}) ++cases, check(random_case(height, 70));
    for (int i = 0; i < 200; ++i) ++cases, check(random_case(1 + random_below(40), 1 + random_below(300)));
    std::printf("%zu inputs agree at the levels:", cases);
    for (const Kernels& kernels : levels()) std::printf(" %s", kernels.level);
    std::printf("\n");
    return 0;
}
