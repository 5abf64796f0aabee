//! The example kernels, which are part of the program so that they work anywhere.

macro_rules! example {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../../../kernels/examples/", $name, ".ufk")),
        )
    };
}

/// Name and text of every example, in the order of the alphabet.
pub(crate) const EXAMPLES: &[(&str, &str)] = &[
    example!("black_scholes"),
    example!("blend_u8"),
    example!("clip"),
    example!("collatz"),
    example!("complex_sqrt"),
    example!("gelu"),
    example!("haversine"),
    example!("hypot"),
    example!("julia"),
    example!("logistic_map"),
    example!("mandelbrot"),
    example!("mandelbrot_smooth"),
    example!("murmur_hash"),
    example!("polar_to_cartesian"),
    example!("poly12"),
    example!("saxpy"),
    example!("sigmoid"),
];

/// The text of an example.
pub(crate) fn find(name: &str) -> Option<&'static str> {
    let found = EXAMPLES.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_in_the_table() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels/examples");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let table: Vec<String> = EXAMPLES
            .iter()
            .map(|(name, _)| format!("{name}.ufk"))
            .collect();
        assert_eq!(table, names);
    }
}
