// The kernels of seam carving for Python: checks arguments, gives them memory, releases the GIL.
#include <memory>
#include <vector>

#include "arguments.hpp"
#include "parallel.hpp"
#include "seams.hpp"

namespace pixtrim {
namespace {

using Plane = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Numbers = nb::ndarray<const std::uint32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Order = nb::ndarray<const std::uint16_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

constexpr long long kMaxLength = (1 << 16) - 1;
constexpr long long kMaxLimit = (1ll << 31) - 1;
constexpr const char* kPlane = "a C-contiguous uint8 array of shape (H, W)";

nb::object luma(nb::handle object, long long threads, const char* level) {
    const auto pixels = array_of<Pixels>(object, "pixels", kPixels);
    check_range("threads", threads, 1, kMaxThreads);
    const Kernels& kernels = kernels_of(level);
    const Picture picture{pixels.data(), pixels.shape(0), pixels.shape(1)};
    std::unique_ptr<std::uint8_t[]> levels(new std::uint8_t[picture.height * picture.width]);
    {
        nb::gil_scoped_release release;
        for_bands(picture.height, static_cast<std::size_t>(threads),
                  [&](Rows rows) { kernels.luma(picture, rows, levels.get()); });
    }
    return array_from(std::move(levels), picture.height, picture.width);
}

std::string shown(std::size_t height, std::size_t width) {
    return "(" + std::to_string(height) + ", " + std::to_string(width) + ")";
}

/// The memory of a search, aligned to the lines of the cache.
class SeamRoom {
public:
    explicit SeamRoom(const SeamTask& task) {
        const std::size_t plane = plane_stride(task.width) * task.height;
        const bool importance = task.energy == SeamEnergy::importance;
        view_.luma = importance ? nullptr : take<std::uint8_t>(plane);
        view_.bias = importance || !task.bias ? nullptr : take<std::uint8_t>(plane);
        view_.energy = task.energy == SeamEnergy::forward ? nullptr : take<std::uint8_t>(plane);
        view_.sums = take<std::uint16_t>(sums_stride(task.width) * sums_rows(task.height));
        view_.places = take<std::uint16_t>(2 * task.height * task.seams);
    }

    SeamMemory view() const { return view_; }

private:
    template <class T>
    T* take(std::size_t bytes) {
        std::size_t room = bytes + kLine;
        parts_.emplace_back(new unsigned char[room]);
        void* first = parts_.back().get();
        return static_cast<T*>(std::align(kLine, bytes, first, room));
    }

    std::vector<std::unique_ptr<unsigned char[]>> parts_;
    SeamMemory view_;
};

nb::tuple find_seams(nb::handle luma_object, nb::handle bias_object, long long energy, long long seams,
                     long long seams_per_pass, long long limit, const char* level) {
    check_range("energy", energy, 0, static_cast<long long>(SeamEnergy::importance));
    SeamTask task{nullptr, nullptr, 0, 0, static_cast<SeamEnergy>(energy), 0, 0, 0};
    const bool importance = task.energy == SeamEnergy::importance;
    Plane luma, bias;
    if (!luma_object.is_none() || !importance) {
        luma = array_of<Plane>(luma_object, "luma", kPlane);
        task.luma = luma.data();
    }
    if (!bias_object.is_none() || importance) {
        bias = array_of<Plane>(bias_object, "bias", kPlane);
        task.bias = bias.data();
    }
    const Plane& given = luma_object.is_none() ? bias : luma;
    task.height = given.shape(0);
    task.width = given.shape(1);
    if (!bias_object.is_none() && (bias.shape(0) != task.height || bias.shape(1) != task.width)) {
        throw nb::value_error(("bias must have the shape of luma, " + shown(task.height, task.width) + ", got " +
                               shown(bias.shape(0), bias.shape(1))).c_str());
    }
    check_range("the height", static_cast<long long>(task.height), 1, kMaxLength);
    check_range("the width", static_cast<long long>(task.width), 1, kMaxLength);
    check_range("seams", seams, 0, static_cast<long long>(task.width) - 1);
    check_range("seams_per_pass", seams_per_pass, 1, static_cast<long long>(kMostPerPass));
    check_range("limit", limit, 0, kMaxLimit);
    task.seams = static_cast<std::size_t>(seams);
    task.per_pass = static_cast<std::size_t>(seams_per_pass);
    task.limit = static_cast<std::uint64_t>(limit);
    const Kernels& kernels = kernels_of(level);
    std::unique_ptr<std::uint16_t[]> order(new std::uint16_t[task.height * task.width]);
    std::size_t count = 0;
    {
        nb::gil_scoped_release release;
        const SeamRoom room(task);
        count = kernels.find_seams(task, room.view(), order.get());
    }
    return nb::make_tuple(array_from(std::move(order), task.height, task.width), count);
}

template <class T, class Array>
nb::object dropped(const Array& values, std::size_t channels, nb::handle order_object, long long seams, long long axis,
                   const char* level) {
    check_range("axis", axis, 0, 1);
    const auto order = array_of<Order>(order_object, "order", "a C-contiguous uint16 array of shape (H, W)");
    check_range("seams", seams, 0, kMaxLength);
    const std::size_t height = values.shape(0), width = values.shape(1);
    if (order.shape(0) != (axis ? height : width) || order.shape(1) != (axis ? width : height)) {
        throw nb::value_error(("order must have the shape " + shown(axis ? height : width, axis ? width : height) + ", got " +
                               shown(order.shape(0), order.shape(1))).c_str());
    }
    const Kernels& kernels = kernels_of(level);
    const auto [length, most] =
        kernels.kept_lengths(order.data(), order.shape(0), order.shape(1), static_cast<std::size_t>(seams));
    if (length != most) {
        throw nb::value_error(("every line must lose equally many pixels, got one that keeps " + std::to_string(length) +
                               " and one of " + std::to_string(most)).c_str());
    }
    const std::size_t new_height = axis ? height : length, new_width = axis ? length : width;
    std::unique_ptr<T[]> kept(new T[new_height * new_width * channels]);
    {
        nb::gil_scoped_release release;
        kernels.drop_seams(reinterpret_cast<const std::uint8_t*>(values.data()), order.data(), height, width,
                           channels * sizeof(T), static_cast<std::size_t>(seams), axis == 1,
                           reinterpret_cast<std::uint8_t*>(kept.get()));
    }
    return channels == 1 ? array_from(std::move(kept), new_height, new_width)
                         : array_from(std::move(kept), new_height, new_width, channels);
}

nb::object drop_seams(nb::handle object, nb::handle order, long long seams, long long axis, const char* level) {
    Plane plane;
    Numbers numbers;
    if (nb::try_cast(object, plane, false)) return dropped<std::uint8_t>(plane, 1, order, seams, axis, level);
    if (nb::try_cast(object, numbers, false)) return dropped<std::uint32_t>(numbers, 1, order, seams, axis, level);
    const auto pixels = array_of<Pixels>(object, "values", "uint8 (H, W, 3) or (H, W), or uint32 (H, W), C-contiguous");
    return dropped<std::uint8_t>(pixels, 3, order, seams, axis, level);
}

nb::object transpose(nb::handle object, const char* level) {
    const auto values = array_of<Plane>(object, "values", kPlane);
    const Kernels& kernels = kernels_of(level);
    const std::size_t height = values.shape(0), width = values.shape(1);
    std::unique_ptr<std::uint8_t[]> turned(new std::uint8_t[height * width]);
    {
        nb::gil_scoped_release release;
        kernels.transpose(values.data(), height, width, turned.get());
    }
    return array_from(std::move(turned), width, height);
}

}  // namespace

void bind_seams(nb::module_& module) {
    module.def("luma", &luma, "pixels"_a.none(), "threads"_a = 1, nb::kw_only(), "level"_a = "",
               "As pixtrim.kernels.reference.luma.");
    module.def("find_seams", &find_seams, "luma"_a.none(), "bias"_a.none(), "energy"_a, "seams"_a, "seams_per_pass"_a = 1,
               "limit"_a = kMaxLimit, nb::kw_only(), "level"_a = "", "As pixtrim.kernels.reference.find_seams.");
    module.def("drop_seams", &drop_seams, "values"_a.none(), "order"_a.none(), "seams"_a, "axis"_a = 1, nb::kw_only(),
               "level"_a = "", "As pixtrim.kernels.reference.drop_seams.");
    module.def("transpose", &transpose, "values"_a.none(), nb::kw_only(), "level"_a = "",
               "As pixtrim.kernels.reference.transpose.");
}

}  // namespace pixtrim
