// The part of the Python module that is about tokens.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "parallel.hpp"

namespace pixtrim {
namespace {

using Pairs = nb::ndarray<const std::int32_t, nb::shape<-1, 2>, nb::c_contig, nb::device::cpu>;

constexpr long long kMaxLimit = 1ll << 62;
constexpr long long kMaxOffsets = 16;

std::string sized(std::size_t width, std::size_t height) {
    return std::to_string(width) + " x " + std::to_string(height) + " px";
}

Picture picture_of(const Pixels& pixels) { return {pixels.data(), pixels.shape(0), pixels.shape(1)}; }

/// A copy: what is checked cannot change while the GIL is released.
std::vector<Place> places_of(const Pairs& array) {
    std::vector<Place> places(array.shape(0));
    for (std::size_t i = 0; i < places.size(); ++i) places[i] = {array.data()[2 * i], array.data()[2 * i + 1]};
    return places;
}

/// The corners of blocks that lie inside a picture.
std::vector<Place> corners_of(nb::handle object, const char* name, long long height, long long width, const Pixels& pixels) {
    const auto places = places_of(array_of<Pairs>(object, name, "a C-contiguous int32 array of shape (N, 2)"));
    const long long last_y = static_cast<long long>(pixels.shape(0)) - height;
    const long long last_x = static_cast<long long>(pixels.shape(1)) - width;
    for (const Place& place : places) {
        if (place.y >= 0 && place.y <= last_y && place.x >= 0 && place.x <= last_x) continue;
        throw nb::value_error((std::string(name) + " must hold places of blocks inside the picture of " +
                               sized(pixels.shape(1), pixels.shape(0)) + ", got y = " + std::to_string(place.y) + ", x = " +
                               std::to_string(place.x) + " for a block of " +
                               sized(static_cast<std::size_t>(width), static_cast<std::size_t>(height))).c_str());
    }
    return places;
}

/// The tolerance for a metric and a limit, which is brought down to what a block of that size can reach at all.
Tolerance tolerance_of(long long metric, long long limit, std::size_t height, std::size_t width) {
    check_range("metric", metric, 0, 2);
    check_range("limit", limit, 0, kMaxLimit);
    const long long values = static_cast<long long>(3 * height * width);
    const long long most[] = {255, 255 * values, 255 * 255 * values};
    const Measure measures[] = {Measure::largest, Measure::sum, Measure::squares};
    return {limit == 0 ? Measure::difference : measures[metric], static_cast<std::uint64_t>(std::min(limit, most[metric]))};
}

nb::object match_blocks(nb::handle object, nb::handle corners_object, nb::handle other_object, nb::handle other_corners_object,
                        long long height, long long width, long long metric, long long limit, long long threads,
                        const char* level) {
    const auto pixels = array_of<Pixels>(object, "pixels", kPixels);
    const auto other = array_of<Pixels>(other_object, "other", kPixels);
    check_range("height", height, 1, kMaxSide);
    check_range("width", width, 1, kMaxSide);
    const auto corners = corners_of(corners_object, "corners", height, width, pixels);
    const auto other_corners = corners_of(other_corners_object, "other_corners", height, width, other);
    if (corners.size() != other_corners.size()) {
        throw nb::value_error(("other_corners must be as many as corners, " + std::to_string(corners.size()) + ", got " +
                               std::to_string(other_corners.size())).c_str());
    }
    const auto block_h = static_cast<std::size_t>(height), block_w = static_cast<std::size_t>(width);
    const Tolerance tolerance = tolerance_of(metric, limit, block_h, block_w);
    check_range("threads", threads, 1, kMaxThreads);
    const Kernels& kernels = kernels_of(level);
    std::unique_ptr<bool[]> matches(new bool[corners.size()]);
    {
        nb::gil_scoped_release release;
        for_bands(corners.size(), static_cast<std::size_t>(threads), [&](Rows pairs) {
            kernels.match_blocks(picture_of(pixels), corners.data(), picture_of(other), other_corners.data(), block_h, block_w,
                                 tolerance, pairs, matches.get());
        });
    }
    return array_from(std::move(matches), corners.size());
}

/// A picture in whole tokens, one or more, without a reference.
Tokens tokens_of(const Pixels& pixels, long long token_h, long long token_w) {
    check_range("token_h", token_h, 1, kMaxSide);
    check_range("token_w", token_w, 1, kMaxSide);
    const Picture picture = picture_of(pixels);
    const auto height = static_cast<std::size_t>(token_h), width = static_cast<std::size_t>(token_w);
    if (picture.height % height || picture.width % width || picture.height * picture.width == 0) {
        throw nb::value_error(("pixels must be whole tokens of " + sized(width, height) + " and at least one, got " +
                               sized(picture.width, picture.height)).c_str());
    }
    return {picture, height, width, picture.height / height, picture.width / width, {nullptr, 0, 0}, nullptr, 0};
}

/// The memory of Notes, as much as the selector needs.
struct Memory {
    std::vector<std::int32_t> labels, uses, slots;
    std::vector<std::uint64_t> sums;

    Memory(std::size_t tokens, Selector selector) {
        if (selector != Selector::pred_near && selector != Selector::unique) return;
        std::size_t slot_count = 1;
        while (slot_count < 2 * tokens) slot_count *= 2;
        labels.resize(tokens);
        uses.resize(tokens);
        sums.resize(tokens);
        slots.resize(slot_count);
    }

    Notes view() { return {labels.data(), uses.data(), sums.data(), slots.data(), slots.size()}; }
};

nb::object predict(nb::handle object, long long token_h, long long token_w, long long selector_number, long long metric,
                   long long limit, nb::handle reference_object, nb::handle offsets_object, const char* level) {
    const auto pixels = array_of<Pixels>(object, "pixels", kPixels);
    Tokens tokens = tokens_of(pixels, token_h, token_w);
    check_range("selector", selector_number, 0, static_cast<long long>(Selector::unique));
    const auto selector = static_cast<Selector>(selector_number);
    const Tolerance tolerance = tolerance_of(metric, limit, tokens.height, tokens.width);
    Pixels reference;
    std::vector<Place> offsets;
    if (!reference_object.is_none()) {
        reference = array_of<Pixels>(reference_object, "reference", kPixels);
        tokens.reference = picture_of(reference);
    }
    if (!offsets_object.is_none()) {
        if (reference_object.is_none()) throw nb::value_error("offsets must come with a reference, got none");
        offsets = places_of(array_of<Pairs>(offsets_object, "offsets", "a C-contiguous int32 array of shape (K, 2)"));
        check_range("the number of offsets", static_cast<long long>(offsets.size()), 0, kMaxOffsets);
        tokens.offsets = offsets.data();
        tokens.offset_count = offsets.size();
    }
    const std::size_t count = tokens.rows * tokens.columns;
    check_range("the number of sources, tokens * (1 + offsets),", static_cast<long long>(count * (1 + offsets.size())), 1,
                (1ll << 31) - 1);
    const Kernels& kernels = kernels_of(level);
    std::unique_ptr<std::int32_t[]> sources(new std::int32_t[count]);
    {
        nb::gil_scoped_release release;
        Memory memory(count, selector);
        kernels.predict(tokens, selector, tolerance, memory.view(), sources.get());
    }
    return array_from(std::move(sources), tokens.rows, tokens.columns);
}

nb::tuple landmarks(nb::handle object, long long rarity, const char* level) {
    constexpr std::size_t kRows = 16;  // looked at in one call, for which there has to be room
    const auto pixels = array_of<Pixels>(object, "pixels", kPixels);
    check_range("rarity", rarity, 1, 1 << 16);
    const Kernels& kernels = kernels_of(level);
    const Picture picture = picture_of(pixels);
    std::vector<std::uint64_t> keys;
    std::vector<Place> places;
    std::unique_ptr<std::uint64_t[]> keys_found;
    std::unique_ptr<std::int32_t[]> places_found;
    {
        nb::gil_scoped_release release;
        std::vector<std::uint64_t> new_keys(kRows * picture.width);
        std::vector<Place> new_places(kRows * picture.width);
        for (std::size_t y = 0; y < picture.height; y += kRows) {
            const Rows rows{y, std::min(y + kRows, picture.height)};
            const std::size_t count =
                kernels.landmarks(picture, static_cast<std::uint64_t>(rarity), rows, new_keys.data(), new_places.data());
            keys.insert(keys.end(), new_keys.begin(), new_keys.begin() + static_cast<std::ptrdiff_t>(count));
            places.insert(places.end(), new_places.begin(), new_places.begin() + static_cast<std::ptrdiff_t>(count));
        }
        keys_found.reset(new std::uint64_t[keys.size()]);
        places_found.reset(new std::int32_t[2 * places.size()]);
        std::copy(keys.begin(), keys.end(), keys_found.get());
        for (std::size_t i = 0; i < places.size(); ++i) {
            places_found[2 * i] = places[i].y;
            places_found[2 * i + 1] = places[i].x;
        }
    }
    return nb::make_tuple(array_from(std::move(keys_found), keys.size()), array_from(std::move(places_found), places.size(), 2));
}

}  // namespace

void bind_tokens(nb::module_& module) {
    module.def("match_blocks", &match_blocks, "pixels"_a.none(), "corners"_a.none(), "other"_a.none(), "other_corners"_a.none(),
               "height"_a, "width"_a, "metric"_a, "limit"_a, "threads"_a = 1, nb::kw_only(), "level"_a = "",
               "As pixtrim.kernels.reference.match_blocks.");
    module.def("predict", &predict, "pixels"_a.none(), "token_h"_a, "token_w"_a, "selector"_a, "metric"_a, "limit"_a,
               "reference"_a = nb::none(), "offsets"_a = nb::none(), nb::kw_only(), "level"_a = "",
               "As pixtrim.kernels.reference.predict.");
    module.def("landmarks", &landmarks, "pixels"_a.none(), "rarity"_a, nb::kw_only(), "level"_a = "",
               "As pixtrim.kernels.reference.landmarks.");
}

}  // namespace pixtrim
