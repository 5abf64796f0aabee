//! `ufc render`: a kernel's two-dimensional result as a picture.

use ufc::array::{Array, Casting, Operand};
use ufc::{DType, Ufunc};

use crate::args::Render;
use crate::cmd_run::call;
use crate::contour;
use crate::input::Source;
use crate::kernel;
use crate::output::{Failure, Screen};
use crate::picture::Picture;
use crate::values::{self, Values};

pub(crate) fn run(screen: Screen, args: &Render) -> Result<(), Failure> {
    let ufunc = kernel::find(&args.kernel)?;
    let params = values::params(&ufunc);
    let texts = values::texts(&params, &args.inputs, values::workload(&ufunc))?;
    let mut specs = values::specs(&params, &texts)?;
    // What comes from a file has as many rows and columns as it has.
    let is_file = |spec: &crate::input::Spec| matches!(spec.source, Source::File(_));
    let mut side = usize::from(args.supersample);
    if specs.iter().any(is_file) {
        side = 1;
    } else {
        let shape = values::generated_shape(&params, &specs)?;
        let wanted = args.width.map(|width| width as f64);
        let factor = match (wanted, shape.last()) {
            (Some(width), Some(&now)) if now > 0 => width / now as f64,
            _ => 1.0,
        };
        specs.iter_mut().for_each(|spec| {
            spec.scale(factor);
            spec.scale(side as f64);
        });
    }
    let values = Values::new(&params, &specs, args.call.dtype)?;
    let operands = values.operands()?;
    let picture = picture(&ufunc, &operands, args)?.shrink(side);
    picture.save(&args.output)?;
    let (width, height) = picture.size();
    screen.say(format_args!(
        "{}: {width} x {height} pixels",
        args.output.display()
    ));
    Ok(())
}

fn picture(ufunc: &Ufunc, operands: &[Operand<'_>], args: &Render) -> Result<Picture, Failure> {
    let shape = values::shape(ufunc.param_names(), operands)?;
    let &[height, width] = shape.as_slice() else {
        return Err(Failure::user(format!(
            "a picture needs a result with two axes, and this one has {}: make one input a column with [:,None]",
            shape.len()
        )));
    };
    if height == 0 || width == 0 {
        return Err(Failure::user("the picture has no pixels"));
    }
    let (results, _) = call(ufunc, operands, &args.call)?;
    match results.as_slice() {
        [gray] if !gray.dtype().is_complex() => {
            let mut values = gray.cast(DType::F32, Casting::Unsafe)?;
            let values = values.as_mut_slice::<f32>()?;
            if gray.dtype().is_int() && !args.bands {
                contour::smooth(values, width);
            }
            Ok(Picture::of_values(values, width, args.palette, args.scale))
        }
        [red, green, blue] if results.iter().all(|r| r.dtype() == DType::U8) => {
            let plane = |array: &'_ Array| -> Result<Vec<u8>, Failure> {
                Ok(array.as_slice::<u8>()?.to_vec())
            };
            let (red, green, blue) = (plane(red)?, plane(green)?, plane(blue)?);
            Ok(Picture::of_planes(&red, &green, &blue, width))
        }
        _ => Err(Failure::user(format!(
            "a picture is drawn from one real result or from three u8 results (red, green, blue), not from `{}`",
            ufunc.signature()
        ))),
    }
}
