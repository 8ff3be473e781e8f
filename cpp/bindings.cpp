// The Python module pixtrim._native: checks arguments, releases the GIL, calls the kernels. The only file that knows Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>
#include <string>

#include "dispatch.hpp"
#include "parallel.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace pixtrim {
namespace {

using Pixels = nb::ndarray<const std::uint8_t, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;
using Words = nb::ndarray<const std::uint64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr long long kMaxThreads = 256;

/// The type of an object, and what makes it another array than the one expected.
std::string described(nb::handle object) {
    const auto text = [](nb::handle any) { return std::string(nb::str(any).c_str()); };
    std::string said = text(object.type().attr("__name__"));
    for (const char* name : {"dtype", "shape"}) {
        if (nb::hasattr(object, name)) said += " " + text(object.attr(name));
    }
    return said;
}

/// The object as an array of exactly that type, without a copy.
template <class Array>
Array array_of(nb::handle object, const char* name, const char* expected) {
    Array array;
    if (!nb::try_cast(object, array, false)) {
        throw nb::type_error((std::string(name) + " must be " + expected + ", got " + described(object)).c_str());
    }
    return array;
}

void check_range(const char* name, long long value, long long low, long long high) {
    if (value >= low && value <= high) return;
    throw nb::value_error((std::string(name) + " must be from " + std::to_string(low) + " to " + std::to_string(high) +
                           ", got " + std::to_string(value)).c_str());
}

/// The kernels of a level by its name; the empty name is the widest level.
const Kernels& kernels_of(const char* level) {
    if (*level == '\0') return levels().back();
    std::string known;
    for (const Kernels& kernels : levels()) {
        if (std::string(level) == kernels.level) return kernels;
        known += std::string(known.empty() ? "" : ", ") + kernels.level;
    }
    throw nb::value_error(("level must be one of " + known + ", got " + level).c_str());
}

/// Hands memory over to a new NumPy array.
template <class T, class... Sizes>
nb::object array_from(std::unique_ptr<T[]> data, Sizes... sizes) {
    nb::capsule owner(data.get(), [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return nb::cast(nb::ndarray<nb::numpy, T>(data.release(), {static_cast<std::size_t>(sizes)...}, owner));
}

nb::tuple change_bits(nb::handle object, long long threshold, long long threads, const char* level) {
    const auto pixels = array_of<Pixels>(object, "pixels", "a C-contiguous uint8 array of shape (H, W, 3)");
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
}
