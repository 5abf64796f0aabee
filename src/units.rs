//! Times, rates and sizes as people read them.

/// A time with a unit that suits it.
pub fn time(seconds: f64) -> String {
    scaled(
        seconds,
        &[(1.0, "s"), (1e-3, "ms"), (1e-6, "µs")],
        (1e-9, "ns"),
    )
}

/// A rate with a prefix that suits it, such as `1.25 G`.
pub fn rate(per_second: f64) -> String {
    scaled(
        per_second,
        &[(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")],
        (1.0, ""),
    )
    .trim_end()
    .to_string()
}

/// A number of bytes, such as `1.5 GB`.
pub fn bytes(count: f64) -> String {
    format!(
        "{}B",
        scaled(
            count,
            &[(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")],
            (1.0, "")
        )
    )
}

fn scaled(value: f64, units: &[(f64, &str)], least: (f64, &str)) -> String {
    // 999.9995 would print as 1000.
    let fits = |(size, _): &&(f64, &str)| value >= size * 0.9995;
    let (size, unit) = units.iter().find(fits).copied().unwrap_or(least);
    let number = value / size;
    let digits = match number {
        n if n >= 99.95 => 0,
        n if n >= 9.995 => 1,
        _ => 2,
    };
    format!("{number:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_suit_the_number() {
        assert_eq!(time(1.5), "1.50 s");
        assert_eq!(time(0.0123), "12.3 ms");
        assert_eq!(time(2.5e-10), "0.25 ns");
        assert_eq!(time(0.9999999), "1.00 s");
        assert_eq!(rate(123_456_789.0), "123 M");
        assert_eq!(rate(12.0), "12.0");
        assert_eq!(bytes(1.6e10), "16.0 GB");
    }
}
