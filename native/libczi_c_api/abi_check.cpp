// Proves libczi_c_api.h against libCZI's own headers: compiles only if every structure has the same
// size, every member the same place and type, and every function the same parameters and result.
// What is compared stands in abi_names.inc, which native/abi_names.py writes from libczi_c_api.h.

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include "libCZIApi.h"

namespace czictypes {
#pragma pack(push, 1)
#include "libczi_c_api.h"
#pragma pack(pop)
}  // namespace czictypes

namespace {

// Structures match by name; the generated STRUCTURE lines below add the pairs.
template <typename Ours, typename Theirs>
struct Paired : std::false_type {};

template <typename Type>
constexpr bool is_number = std::is_arithmetic_v<Type> || std::is_enum_v<Type>;

// "bool" is not one of the 1-byte integers: the two differ in what a caller may pass.
template <typename Ours, typename Theirs>
constexpr bool same_number() {
    return sizeof(Ours) == sizeof(Theirs) &&
           std::is_floating_point_v<Ours> == std::is_floating_point_v<Theirs> &&
           std::is_same_v<Ours, bool> == std::is_same_v<Theirs, bool> &&
           (std::is_enum_v<Theirs> || std::is_signed_v<Ours> == std::is_signed_v<Theirs>);
}

// Same<A, B>: passing a B where an A is meant is the same machine code. "const" does not count.
template <typename Ours, typename Theirs>
struct Same;

template <typename Ours, typename Theirs>
constexpr bool same_value() {
    if constexpr (std::is_void_v<Ours> || std::is_void_v<Theirs>) {
        return std::is_void_v<Ours> && std::is_void_v<Theirs>;
    } else if constexpr (is_number<Ours> && is_number<Theirs>) {
        return same_number<Ours, Theirs>();
    } else {
        return Paired<Ours, Theirs>::value;
    }
}

template <typename Ours, typename Theirs>
struct Same : std::bool_constant<same_value<std::remove_cv_t<Ours>, std::remove_cv_t<Theirs>>()> {};

template <typename Ours, typename Theirs>
struct Same<Ours*, Theirs*> : Same<Ours, Theirs> {};

template <typename Ours, typename Theirs, std::size_t count>
struct Same<Ours[count], Theirs[count]> : Same<Ours, Theirs> {};

template <typename Ours, typename Theirs>
struct Same<Ours[], Theirs[]> : Same<Ours, Theirs> {};

template <typename Ours, typename Theirs>
struct SameList : std::false_type {};

template <>
struct SameList<std::tuple<>, std::tuple<>> : std::true_type {};

template <typename Ours, typename... OursRest, typename Theirs, typename... TheirsRest>
struct SameList<std::tuple<Ours, OursRest...>, std::tuple<Theirs, TheirsRest...>>
    : std::conjunction<Same<Ours, Theirs>,
                       SameList<std::tuple<OursRest...>, std::tuple<TheirsRest...>>> {};

template <typename Ours, typename... OursArguments, typename Theirs, typename... TheirsArguments>
struct Same<Ours(OursArguments...), Theirs(TheirsArguments...)>
    : std::conjunction<Same<Ours, Theirs>,
                       SameList<std::tuple<OursArguments...>, std::tuple<TheirsArguments...>>> {};

#define STRUCTURE(name) \
    template <>         \
    struct Paired<czictypes::name, ::name> : std::true_type {};
#define MEMBER(name, member)
#define FUNCTION(name)
#include "abi_names.inc"
#undef STRUCTURE
#undef MEMBER
#undef FUNCTION

#define STRUCTURE(name)                                   \
    static_assert(sizeof(czictypes::name) == sizeof(::name), \
                  "libczi_c_api.h: wrong size of struct " #name);
#define MEMBER(name, member)                                                     \
    static_assert(offsetof(czictypes::name, member) == offsetof(::name, member), \
                  "libczi_c_api.h: wrong place of " #name "." #member);          \
    static_assert(Same<decltype(czictypes::name::member), decltype(::name::member)>::value, \
                  "libczi_c_api.h: wrong type of " #name "." #member);
#define FUNCTION(name)                                                       \
    static_assert(Same<decltype(czictypes::name), decltype(::name)>::value, \
                  "libczi_c_api.h: wrong signature of " #name);
#include "abi_names.inc"

}  // namespace
