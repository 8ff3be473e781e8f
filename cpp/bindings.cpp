// The Python module pixtrim._native: checks arguments, releases the GIL, calls the kernels. This file knows Python, and with it
// arguments.hpp and the other bindings; no other does.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "parallel.hpp"

namespace pixtrim {
namespace {

using OutPixels = nb::ndarray<std::uint8_t, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Fixed = nb::ndarray<const std::int16_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Values = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<const std::uint64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

nb::tuple change_bits(nb::handle object, long long threshold, long long threads, const char* level) {
    const auto pixels = array_of<Pixels>(object, "pixels", kPixels);
    check_range("threshold", threshold, 0, 255);
    check_range("threads", threads, 1, kMaxThreads);
    const Kernels& kernels = kernels_of(level);
    const Picture picture{pixels.data(), pixels.shape(0), pixels.shape(1)};
    const std::size_t words_per_row = (picture.width + 63) / 64, size = picture.height * words_per_row;
    std::unique_ptr<std::uint64_t[]> down(new std::uint64_t[size]), right(new std::uint64_t[size]);
    {
        nb::gil_scoped_release release;
        for_bands(picture.height, static_cast<std::size_t>(threads), [&](Rows rows) {
            kernels.change_bits(picture, static_cast<int>(threshold), rows, {down.get(), words_per_row},
                                {right.get(), words_per_row});
        });
    }
    return nb::make_tuple(array_from(std::move(down), picture.height, words_per_row),
                          array_from(std::move(right), picture.height, words_per_row));
}

struct BoxOfBits {
    Words array;  // keeps the memory alive
    ConstBitMap bits;
    Box box;
};

BoxOfBits box_of_bits(nb::handle object, long long y0, long long y1, long long x0, long long x1) {
    const auto array = array_of<Words>(object, "bits", "a C-contiguous uint64 array of shape (H, words)");
    check_range("y1", y1, 0, static_cast<long long>(array.shape(0)));
    check_range("y0", y0, 0, y1);
    check_range("x1", x1, 0, 64 * static_cast<long long>(array.shape(1)));
    check_range("x0", x0, 0, x1);
    const auto size = [](long long value) { return static_cast<std::size_t>(value); };
    return {array, {array.data(), array.shape(1)}, {size(y0), size(y1), size(x0), size(x1)}};
}

nb::object row_counts(nb::handle object, long long y0, long long y1, long long x0, long long x1, const char* level) {
    const BoxOfBits in = box_of_bits(object, y0, y1, x0, x1);
    const Kernels& kernels = kernels_of(level);
    std::unique_ptr<std::int32_t[]> counts(new std::int32_t[in.box.y1 - in.box.y0]);
    {
        nb::gil_scoped_release release;
        kernels.row_counts(in.bits, in.box, counts.get());
    }
    return array_from(std::move(counts), in.box.y1 - in.box.y0);
}

nb::object column_counts(nb::handle object, long long y0, long long y1, long long x0, long long x1, const char* level) {
    const BoxOfBits in = box_of_bits(object, y0, y1, x0, x1);
    const Kernels& kernels = kernels_of(level);
    std::unique_ptr<std::int32_t[]> counts(new std::int32_t[in.box.x1 - in.box.x0]);
    {
        nb::gil_scoped_release release;
        kernels.column_counts(in.bits, in.box, counts.get());
    }
    return array_from(std::move(counts), in.box.x1 - in.box.x0);
}

/// A copy of the indices, which rise and lie below `size`: what is checked cannot change while the GIL is released.
std::vector<std::int32_t> indices_of(nb::handle object, const char* name, std::size_t size) {
    const auto array = array_of<Indices>(object, name, "a C-contiguous int32 array of shape (N,)");
    std::vector<std::int32_t> indices(array.data(), array.data() + array.shape(0));
    std::int32_t before = -1;
    for (std::int32_t index : indices) {
        if (index <= before || static_cast<std::size_t>(index) >= size) {
            throw nb::value_error((std::string(name) + " must rise and be from 0 to " +
                                   std::to_string(static_cast<long long>(size) - 1) + ", got " + std::to_string(index) +
                                   (before < 0 ? "" : " after " + std::to_string(before))).c_str());
        }
        before = index;
    }
    return indices;
}

/// The pixels of a row with these indices, neighbours taken together.
std::vector<Run> runs_of(const std::vector<std::int32_t>& indices) {
    std::vector<Run> runs;
    for (std::size_t i = 0; i < indices.size(); ++i) {
        if (i == 0 || indices[i] != indices[i - 1] + 1) runs.push_back({3 * static_cast<std::size_t>(indices[i]), 0});
        runs.back().bytes += 3;
    }
    return runs;
}

void check_fits(const char* name, const char* what, std::size_t count, long long first, std::size_t size) {
    const long long room = static_cast<long long>(size) - static_cast<long long>(count);
    if (first >= 0 && first <= room) return;
    throw nb::value_error((std::to_string(count) + " " + what + " from " + name + " = " + std::to_string(first) +
                           " on do not fit into the " + std::to_string(size) + " of out").c_str());
}

void gather(nb::handle object, nb::handle row_indices, nb::handle column_indices, nb::handle out_object, long long y,
            long long x, long long threads, const char* level) {
    const auto pixels = array_of<Pixels>(object, "pixels", kPixels);
    const auto rows = indices_of(row_indices, "rows", pixels.shape(0));
    const auto columns = indices_of(column_indices, "columns", pixels.shape(1));
    const auto out = array_of<OutPixels>(out_object, "out", "a writable C-contiguous uint8 array of shape (H, W, 3)");
    check_fits("y", "rows", rows.size(), y, out.shape(0));
    check_fits("x", "columns", columns.size(), x, out.shape(1));
    check_range("threads", threads, 1, kMaxThreads);
    const std::less<const std::uint8_t*> before;
    if (before(out.data(), pixels.data() + pixels.size()) && before(pixels.data(), out.data() + out.size())) {
        throw nb::value_error("out must not share memory with pixels");
    }
    const Kernels& kernels = kernels_of(level);
    nb::gil_scoped_release release;
    const std::vector<Run> runs = runs_of(columns);
    const Picture picture{pixels.data(), pixels.shape(0), pixels.shape(1)};
    const std::size_t stride = 3 * out.shape(1);
    const Target target{out.data() + static_cast<std::size_t>(y) * stride + 3 * static_cast<std::size_t>(x), stride};
    for_bands(rows.size(), static_cast<std::size_t>(threads), [&](Rows band) {
        kernels.gather(picture, rows.data(), {runs.data(), runs.size()}, band, target);
    });
}

/// The weights of one axis, copied and checked: every window lies inside the picture, and no sum can overflow.
struct Axis {
    std::vector<std::int32_t> starts;
    std::vector<std::int16_t> weights;
    std::size_t taps, stride;

    Weights view() const { return {starts.data(), weights.data(), taps, stride}; }
};

Axis axis_of(nb::handle starts_object, nb::handle weights_object, const std::string& name, std::size_t size) {
    const std::string starts_name = name + "_starts", weights_name = name + "_weights";
    const auto starts = array_of<Indices>(starts_object, starts_name.c_str(), "a C-contiguous int32 array of shape (N,)");
    const auto weights = array_of<Fixed>(weights_object, weights_name.c_str(), "a C-contiguous int16 array of shape (N, taps)");
    const std::size_t count = starts.shape(0), taps = weights.shape(1);
    if (weights.shape(0) != count) {
        throw nb::value_error((weights_name + " must have as many rows as " + starts_name + ", " + std::to_string(count) +
                               ", got " + std::to_string(weights.shape(0))).c_str());
    }
    const long long last = static_cast<long long>(size) - static_cast<long long>(taps);
    const std::size_t stride = (taps + kWeightBlock - 1) / kWeightBlock * kWeightBlock;
    Axis axis{{starts.data(), starts.data() + count}, std::vector<std::int16_t>(count * stride), taps, stride};
    for (std::size_t i = 0; i < count; ++i) {
        if (axis.starts[i] < 0 || axis.starts[i] > last) {
            throw nb::value_error((starts_name + " must be from 0 to " + std::to_string(last) + ", so that " +
                                   std::to_string(taps) + " weights stay inside the picture, got " +
                                   std::to_string(axis.starts[i])).c_str());
        }
        long long sum = 0;
        for (std::size_t t = 0; t < taps; ++t) {
            axis.weights[i * stride + t] = weights.data()[i * taps + t];
            sum += std::abs(static_cast<long long>(axis.weights[i * stride + t]));
        }
        if (sum > 1 << 15) {
            throw nb::value_error(("the absolute values in a row of " + weights_name + " must sum to at most 32768, got " +
                                   std::to_string(sum)).c_str());
        }
    }
    return axis;
}

nb::object resample(nb::handle object, nb::handle row_starts, nb::handle row_weights, nb::handle column_starts,
                    nb::handle column_weights, long long threads, const char* level) {
    const auto pixels = array_of<Pixels>(object, "pixels", kPixels);
    const Axis rows = axis_of(row_starts, row_weights, "row", pixels.shape(0));
    const Axis columns = axis_of(column_starts, column_weights, "column", pixels.shape(1));
    check_range("threads", threads, 1, kMaxThreads);
    const Kernels& kernels = kernels_of(level);
    const Picture picture{pixels.data(), pixels.shape(0), pixels.shape(1)};
    const std::size_t height = rows.starts.size(), width = columns.starts.size();
    const std::size_t room = 3 * picture.width + kSlack;
    std::unique_ptr<std::uint8_t[]> out(new std::uint8_t[3 * height * width]);
    {
        nb::gil_scoped_release release;
        const std::size_t bands = std::min(static_cast<std::size_t>(threads), height);
        std::vector<std::int16_t> scratch(room * std::max<std::size_t>(bands, 1));  // an empty result has a band, too
        std::atomic<std::size_t> taken{0};
        for_bands(height, bands, [&](Rows band) {
            kernels.resample(picture, rows.view(), columns.view(), width, band, scratch.data() + room * taken++,
                             {out.get(), 3 * width});
        });
    }
    return array_from(std::move(out), height, width, 3);
}

nb::tuple marginals(nb::handle object, const char* level) {
    const auto values = array_of<Values>(object, "values", "a C-contiguous float32 array of shape (H, W)");
    const Kernels& kernels = kernels_of(level);
    const std::size_t height = values.shape(0), width = values.shape(1);
    std::unique_ptr<std::int64_t[]> column_sums(new std::int64_t[width]), row_sums(new std::int64_t[height]);
    std::unique_ptr<std::int32_t[]> column_peaks(new std::int32_t[width]), row_peaks(new std::int32_t[height]);
    bool inside;
    {
        nb::gil_scoped_release release;
        std::vector<std::uint32_t> parts(width);
        std::vector<std::int32_t> row(width);
        inside = kernels.marginals(values.data(), height, width,
                                   {{column_sums.get(), column_peaks.get()}, {row_sums.get(), row_peaks.get()},
                                    parts.data(), row.data()});
    }
    if (!inside) throw nb::value_error("values must be from 0 to 1");
    return nb::make_tuple(array_from(std::move(column_sums), width), array_from(std::move(column_peaks), width),
                          array_from(std::move(row_sums), height), array_from(std::move(row_peaks), height));
}

nb::tuple level_names() {
    nb::list names;
    for (const Kernels& kernels : levels()) names.append(kernels.level);
    return nb::tuple(names);
}

}  // namespace
}  // namespace pixtrim

NB_MODULE(_native, module) {
    module.doc() = "The kernels of pixtrim in C++; pixtrim.kernels.reference defines them.";
    module.def("levels", &pixtrim::level_names, "The vector levels that this machine runs, the widest last.");
    module.def("change_bits", &pixtrim::change_bits, "pixels"_a.none(), "threshold"_a, "threads"_a = 1, nb::kw_only(),
               "level"_a = "", "As pixtrim.kernels.reference.change_bits.");
    module.def("row_counts", &pixtrim::row_counts, "bits"_a.none(), "y0"_a, "y1"_a, "x0"_a, "x1"_a, nb::kw_only(),
               "level"_a = "", "As pixtrim.kernels.reference.row_counts.");
    module.def("column_counts", &pixtrim::column_counts, "bits"_a.none(), "y0"_a, "y1"_a, "x0"_a, "x1"_a, nb::kw_only(),
               "level"_a = "", "As pixtrim.kernels.reference.column_counts.");
    module.def("gather", &pixtrim::gather, "pixels"_a.none(), "rows"_a.none(), "columns"_a.none(), "out"_a.none(), "y"_a,
               "x"_a, "threads"_a = 1, nb::kw_only(), "level"_a = "", "As pixtrim.kernels.reference.gather.");
    module.def("resample", &pixtrim::resample, "pixels"_a.none(), "row_starts"_a.none(), "row_weights"_a.none(),
               "column_starts"_a.none(), "column_weights"_a.none(), "threads"_a = 1, nb::kw_only(), "level"_a = "",
               "As pixtrim.kernels.reference.resample.");
    module.def("marginals", &pixtrim::marginals, "values"_a.none(), nb::kw_only(), "level"_a = "",
               "As pixtrim.kernels.reference.marginals.");
    pixtrim::bind_tokens(module);
    pixtrim::bind_seams(module);
}
