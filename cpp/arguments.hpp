// What the files that know Python share: arrays and numbers taken from it, checked, and arrays handed over to it.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <memory>
#include <string>

#include "dispatch.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace pixtrim {

using Pixels = nb::ndarray<const std::uint8_t, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;

constexpr long long kMaxThreads = 256;
constexpr const char* kPixels = "a C-contiguous uint8 array of shape (H, W, 3)";

/// The type of an object, and what makes it another array than the one expected.
inline std::string described(nb::handle object) {
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

inline void check_range(const char* name, long long value, long long low, long long high) {
    if (value >= low && value <= high) return;
    throw nb::value_error((std::string(name) + " must be from " + std::to_string(low) + " to " + std::to_string(high) +
                           ", got " + std::to_string(value)).c_str());
}

/// The kernels of a level by its name; the empty name is the widest level.
inline const Kernels& kernels_of(const char* level) {
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

/// Puts the functions on tokens into the module.
void bind_tokens(nb::module_& module);

/// Puts the functions on seams into the module.
void bind_seams(nb::module_& module);

}  // namespace pixtrim
