// The header in C++: owners that free what they hold, and statuses as exceptions.
#include <ufc.h>

#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

static void check(ufc_status status)
{
    if (status != UFC_OK)
        throw std::runtime_error(ufc_last_error_message());
}

template <auto Free>
struct Deleter {
    template <typename T>
    void operator()(T *handle) const
    {
        Free(handle);
    }
};
using Module = std::unique_ptr<ufc_module, Deleter<ufc_module_free>>;
using Ufunc = std::unique_ptr<ufc_ufunc, Deleter<ufc_ufunc_free>>;

static_assert(std::is_standard_layout_v<ufc_view> && std::is_trivially_copyable_v<ufc_view>);
static_assert(sizeof(ufc_status) == 4 && sizeof(ufc_dtype) == 4);

static ufc_view view(std::vector<double> &values, const std::int64_t &length)
{
    ufc_view view{};
    view.struct_size = sizeof view;
    view.data = values.data();
    view.shape = &length;
    view.ndim = 1;
    view.dtype = UFC_F64;
    return view;
}

static Ufunc compile(const std::string &text)
{
    ufc_module *module = nullptr;
    check(ufc_module_from_source(text.data(), text.size(), nullptr, &module, nullptr));
    Module owner(module);
    ufc_ufunc *ufunc = nullptr;
    check(ufc_module_ufunc(module, nullptr, &ufunc));
    return Ufunc(ufunc);
}

int main()
{
    check(ufc_abi_check(UFC_ABI_VERSION));
    Ufunc hypot = compile("pub fn hypot2(x: f64, y: f64) -> f64 { sqrt(x*x + y*y) }");
    std::vector<double> x{3, 5, 8}, y{4, 12, 15}, out(3);
    const std::int64_t length = 3;
    std::array<ufc_view, 2> inputs{view(x, length), view(y, length)};
    ufc_view output = view(out, length);
    check(ufc_call(hypot.get(), inputs.data(), inputs.size(), &output, 1, nullptr));
    if (out != std::vector<double>{5, 13, 17})
        return 1;
    try {
        compile("pub fn f(x: f64) -> f64 { z }");
        return 2;
    } catch (const std::runtime_error &error) {
        if (std::string(error.what()).find("`z`") == std::string::npos)
            return 3;
    }
    std::puts("all is well");
    return 0;
}
