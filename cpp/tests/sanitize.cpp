// Runs every kernel at every vector level on random and edge-size inputs, against plain loops that restate the definition.
// Built with AddressSanitizer and UndefinedBehaviorSanitizer: each array has exactly its size on the heap, so that a read or
// write past an end is caught. Prints one line and exits with 0, or says what differed and exits with 1.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "dispatch.hpp"
#include "parallel.hpp"

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

void check(const Case& c) {
    for (const Kernels& kernels : levels()) {
        check_counts(kernels, c, check_change_bits(kernels, c, 1));
        check_change_bits(kernels, c, 3);
        check_counts(kernels, c, Words(c.height * c.words_per_row(), ~std::uint64_t{0}));
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
