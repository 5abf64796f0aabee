//! Binary16 by hand: to f64, and from f64 rounded to nearest even.

/// The value of the bits of a binary16.
pub(crate) fn from_half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    match exponent {
        0 => sign * fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

/// The bits of the nearest binary16, of two the even one.
pub(crate) fn to_half(value: f64) -> u16 {
    let sign = u16::from(value.is_sign_negative()) << 15;
    if value.is_nan() {
        return sign | 0x7fff;
    }
    let magnitude = value.abs();
    // Halfway between the largest number and the next power of two rounds to infinity.
    if magnitude >= 65520.0 {
        return sign | 0x7c00;
    }
    // All finite magnitudes in order are the bits 0 to 0x7bff: find the largest one not above.
    let (mut low, mut high) = (0u16, 0x7bff);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if from_half(middle) <= magnitude {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    let below = from_half(low);
    let above = if low == 0x7bff {
        65536.0
    } else {
        from_half(low + 1)
    };
    let (down, up) = (magnitude - below, above - magnitude);
    let rounds_up = up < down || (up == down && low & 1 == 1);
    sign | (low + u16::from(rounds_up))
}
