//! `ufc render`.

use crate::{folder, names, ufc_in, write};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Width, height and bytes of a picture.
fn read(path: &Path) -> (u32, u32, Vec<u8>) {
    let decoder = png::Decoder::new(BufReader::new(File::open(path).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (info.width, info.height, bytes)
}

#[test]
fn mandelbrot_has_its_shape_and_many_colours() {
    let folder = folder();
    let args = ["render", "mandelbrot", "--width", "120", "-o", "m.png"];
    ufc_in(folder.path(), &args).ok();
    assert_eq!(names(folder.path()), ["m.png"]);
    let (width, height, bytes) = read(&folder.path().join("m.png"));
    assert_eq!((width, height), (120, 90));
    let pixel = |x: usize, y: usize| &bytes[(y * 120 + x) * 3..][..3];
    // c = -1/2 is inside and black; c = -2 + i is far outside and blue.
    assert!(pixel(60, 45).iter().all(|c| *c < 20), "{:?}", pixel(60, 45));
    assert!(pixel(0, 0)[2] > pixel(0, 0)[0], "{:?}", pixel(0, 0));
    let colors: std::collections::HashSet<&[u8]> = bytes.chunks(3).collect();
    assert!(colors.len() > 100, "{}", colors.len());
}

#[test]
fn three_bytes_are_a_colour() {
    let folder = folder();
    let text = "pub fn corner(x: u8, y: u8) -> (u8, u8, u8) { (x, y, 7) }\n";
    write(folder.path(), "corner.ufk", text);
    let args = [
        "render",
        "corner.ufk",
        "x=arange(4)",
        "y=arange(3)[:,None]",
        "--supersample",
        "1",
        "-o",
        "c.png",
    ];
    ufc_in(folder.path(), &args).ok();
    let (width, height, bytes) = read(&folder.path().join("c.png"));
    assert_eq!((width, height), (4, 3));
    assert_eq!(bytes[(2 * 4 + 3) * 3..], [3, 2, 7]);
}

#[test]
fn what_is_no_picture_is_refused() {
    let folder = folder();
    let render = |args: &[&str]| {
        ufc_in(
            folder.path(),
            &[&["render"], args, &["-o", "p.png"]].concat(),
        )
    };
    assert!(render(&["saxpy"]).fails(1).contains("two axes"));
    assert!(
        render(&[
            "polar_to_cartesian",
            "r=arange(2)",
            "theta=arange(2)[:,None]"
        ])
        .fails(1)
        .contains("three u8")
    );
    assert_eq!(names(folder.path()), [""; 0]);
}
