//! The table of vector operations: which machine instruction does what, per lane and level.

use super::level::Level;
pub(super) use crate::lane::Lane;
use iced_x86::Code;
use iced_x86::Code::*;

/// Defines the operations and [`code`] from rows `Operation Lane AVX2 AVX-512;`, where `INVALID` says there is none.
macro_rules! operations {
    ($($(#[doc = $doc:literal])* $op:ident { $($lane:ident $avx2:ident $avx512:ident;)* })*) => {
        /// A vector operation, lane by lane.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum VecOp {
            $($(#[doc = $doc])* $op,)*
        }

        /// The instruction for an operation, if the level has one.
        pub(super) fn code(op: VecOp, lane: Lane, level: Level) -> Option<Code> {
            let pair = match (op, lane) {
                $($((VecOp::$op, Lane::$lane) => ($avx2, $avx512),)*)*
                _ => (INVALID, INVALID),
            };
            let code = match level {
                Level::Avx2 => pair.0,
                Level::Avx512 => pair.1,
            };
            (code != INVALID).then_some(code)
        }

    };
}

#[rustfmt::skip]
operations! {
    /// Sum.
    Add {
        F32 VEX_Vaddps_ymm_ymm_ymmm256 EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vaddpd_ymm_ymm_ymmm256 EVEX_Vaddpd_zmm_k1z_zmm_zmmm512b64_er;
        I32 VEX_Vpaddd_ymm_ymm_ymmm256 EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32;
        I64 VEX_Vpaddq_ymm_ymm_ymmm256 EVEX_Vpaddq_zmm_k1z_zmm_zmmm512b64;
        I8 VEX_Vpaddb_ymm_ymm_ymmm256 EVEX_Vpaddb_zmm_k1z_zmm_zmmm512;
        I16 VEX_Vpaddw_ymm_ymm_ymmm256 EVEX_Vpaddw_zmm_k1z_zmm_zmmm512;
    }
    /// Difference.
    Sub {
        F32 VEX_Vsubps_ymm_ymm_ymmm256 EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vsubpd_ymm_ymm_ymmm256 EVEX_Vsubpd_zmm_k1z_zmm_zmmm512b64_er;
        I32 VEX_Vpsubd_ymm_ymm_ymmm256 EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32;
        I64 VEX_Vpsubq_ymm_ymm_ymmm256 EVEX_Vpsubq_zmm_k1z_zmm_zmmm512b64;
        I8 VEX_Vpsubb_ymm_ymm_ymmm256 EVEX_Vpsubb_zmm_k1z_zmm_zmmm512;
        I16 VEX_Vpsubw_ymm_ymm_ymmm256 EVEX_Vpsubw_zmm_k1z_zmm_zmmm512;
    }
    /// Product, of integers its lower half.
    Mul {
        F32 VEX_Vmulps_ymm_ymm_ymmm256 EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vmulpd_ymm_ymm_ymmm256 EVEX_Vmulpd_zmm_k1z_zmm_zmmm512b64_er;
        I32 VEX_Vpmulld_ymm_ymm_ymmm256 EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32;
        I64 INVALID EVEX_Vpmullq_zmm_k1z_zmm_zmmm512b64;
        I16 VEX_Vpmullw_ymm_ymm_ymmm256 EVEX_Vpmullw_zmm_k1z_zmm_zmmm512;
    }
    /// Sum of unsigned integers, at most the greatest one.
    AddSaturating {
        I8 VEX_Vpaddusb_ymm_ymm_ymmm256 EVEX_Vpaddusb_zmm_k1z_zmm_zmmm512;
        I16 VEX_Vpaddusw_ymm_ymm_ymmm256 EVEX_Vpaddusw_zmm_k1z_zmm_zmmm512;
    }
    /// Difference of unsigned integers, at least 0.
    SubSaturating {
        I8 VEX_Vpsubusb_ymm_ymm_ymmm256 EVEX_Vpsubusb_zmm_k1z_zmm_zmmm512;
        I16 VEX_Vpsubusw_ymm_ymm_ymmm256 EVEX_Vpsubusw_zmm_k1z_zmm_zmmm512;
    }
    /// Upper half of the product of unsigned integers.
    MulHigh {
        I16 VEX_Vpmulhuw_ymm_ymm_ymmm256 EVEX_Vpmulhuw_zmm_k1z_zmm_zmmm512;
    }
    /// 64-bit lanes of the second as the numbers in the first say.
    Reorder {
        I64 INVALID EVEX_Vpermq_zmm_k1z_zmm_zmmm512b64;
    }
    /// Product of the lower halves as unsigned integers.
    MulLow {
        I64 VEX_Vpmuludq_ymm_ymm_ymmm256 EVEX_Vpmuludq_zmm_k1z_zmm_zmmm512b64;
    }
    /// Quotient.
    Div {
        F32 VEX_Vdivps_ymm_ymm_ymmm256 EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vdivpd_ymm_ymm_ymmm256 EVEX_Vdivpd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// Square root.
    Sqrt {
        F32 VEX_Vsqrtps_ymm_ymmm256 EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er;
        F64 VEX_Vsqrtpd_ymm_ymmm256 EVEX_Vsqrtpd_zmm_k1z_zmmm512b64_er;
    }
    /// The lesser one, of integers as signed ones; of floats the second one unless the first is less.
    Min {
        F32 VEX_Vminps_ymm_ymm_ymmm256 EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae;
        F64 VEX_Vminpd_ymm_ymm_ymmm256 EVEX_Vminpd_zmm_k1z_zmm_zmmm512b64_sae;
        I32 VEX_Vpminsd_ymm_ymm_ymmm256 EVEX_Vpminsd_zmm_k1z_zmm_zmmm512b32;
        I64 INVALID EVEX_Vpminsq_zmm_k1z_zmm_zmmm512b64;
        I8 VEX_Vpminsb_ymm_ymm_ymmm256 EVEX_Vpminsb_zmm_k1z_zmm_zmmm512;
        I16 VEX_Vpminsw_ymm_ymm_ymmm256 EVEX_Vpminsw_zmm_k1z_zmm_zmmm512;
    }
    /// The greater one, in the same way.
    Max {
        F32 VEX_Vmaxps_ymm_ymm_ymmm256 EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae;
        F64 VEX_Vmaxpd_ymm_ymm_ymmm256 EVEX_Vmaxpd_zmm_k1z_zmm_zmmm512b64_sae;
        I32 VEX_Vpmaxsd_ymm_ymm_ymmm256 EVEX_Vpmaxsd_zmm_k1z_zmm_zmmm512b32;
        I64 INVALID EVEX_Vpmaxsq_zmm_k1z_zmm_zmmm512b64;
        I8 VEX_Vpmaxsb_ymm_ymm_ymmm256 EVEX_Vpmaxsb_zmm_k1z_zmm_zmmm512;
        I16 VEX_Vpmaxsw_ymm_ymm_ymmm256 EVEX_Vpmaxsw_zmm_k1z_zmm_zmmm512;
    }
    /// The lesser one of unsigned integers.
    MinUnsigned {
        I32 VEX_Vpminud_ymm_ymm_ymmm256 EVEX_Vpminud_zmm_k1z_zmm_zmmm512b32;
        I64 INVALID EVEX_Vpminuq_zmm_k1z_zmm_zmmm512b64;
        I8 VEX_Vpminub_ymm_ymm_ymmm256 EVEX_Vpminub_zmm_k1z_zmm_zmmm512;
        I16 VEX_Vpminuw_ymm_ymm_ymmm256 EVEX_Vpminuw_zmm_k1z_zmm_zmmm512;
    }
    /// The greater one of unsigned integers.
    MaxUnsigned {
        I32 VEX_Vpmaxud_ymm_ymm_ymmm256 EVEX_Vpmaxud_zmm_k1z_zmm_zmmm512b32;
        I64 INVALID EVEX_Vpmaxuq_zmm_k1z_zmm_zmmm512b64;
        I8 VEX_Vpmaxub_ymm_ymm_ymmm256 EVEX_Vpmaxub_zmm_k1z_zmm_zmmm512;
        I16 VEX_Vpmaxuw_ymm_ymm_ymmm256 EVEX_Vpmaxuw_zmm_k1z_zmm_zmmm512;
    }
    /// The lesser or greater one by an immediate, -0 less than +0 (SDM, VRANGEPS).
    Range {
        F32 INVALID EVEX_Vrangeps_zmm_k1z_zmm_zmmm512b32_imm8_sae;
        F64 INVALID EVEX_Vrangepd_zmm_k1z_zmm_zmmm512b64_imm8_sae;
    }
    /// Absolute value.
    Abs {
        I32 VEX_Vpabsd_ymm_ymmm256 EVEX_Vpabsd_zmm_k1z_zmmm512b32;
        I64 INVALID EVEX_Vpabsq_zmm_k1z_zmmm512b64;
        I8 VEX_Vpabsb_ymm_ymmm256 EVEX_Vpabsb_zmm_k1z_zmmm512;
        I16 VEX_Vpabsw_ymm_ymmm256 EVEX_Vpabsw_zmm_k1z_zmmm512;
    }
    /// The first times 2 to the power of the second, rounded down (SDM, VSCALEFPS).
    Scale {
        F32 INVALID EVEX_Vscalefps_zmm_k1z_zmm_zmmm512b32_er;
        F64 INVALID EVEX_Vscalefpd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// Rounds to an integer by an immediate.
    Round {
        F32 VEX_Vroundps_ymm_ymmm256_imm8 EVEX_Vrndscaleps_zmm_k1z_zmmm512b32_imm8_sae;
        F64 VEX_Vroundpd_ymm_ymmm256_imm8 EVEX_Vrndscalepd_zmm_k1z_zmmm512b64_imm8_sae;
    }
    /// Bitwise and.
    And {
        I32 VEX_Vpand_ymm_ymm_ymmm256 EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32;
        I64 VEX_Vpand_ymm_ymm_ymmm256 EVEX_Vpandq_zmm_k1z_zmm_zmmm512b64;
        I8 VEX_Vpand_ymm_ymm_ymmm256 EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32;
        I16 VEX_Vpand_ymm_ymm_ymmm256 EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32;
    }
    /// Bitwise and of the first one's complement.
    AndNot {
        I32 VEX_Vpandn_ymm_ymm_ymmm256 EVEX_Vpandnd_zmm_k1z_zmm_zmmm512b32;
        I64 VEX_Vpandn_ymm_ymm_ymmm256 EVEX_Vpandnq_zmm_k1z_zmm_zmmm512b64;
        I8 VEX_Vpandn_ymm_ymm_ymmm256 EVEX_Vpandnd_zmm_k1z_zmm_zmmm512b32;
        I16 VEX_Vpandn_ymm_ymm_ymmm256 EVEX_Vpandnd_zmm_k1z_zmm_zmmm512b32;
    }
    /// Bitwise or.
    Or {
        I32 VEX_Vpor_ymm_ymm_ymmm256 EVEX_Vpord_zmm_k1z_zmm_zmmm512b32;
        I64 VEX_Vpor_ymm_ymm_ymmm256 EVEX_Vporq_zmm_k1z_zmm_zmmm512b64;
        I8 VEX_Vpor_ymm_ymm_ymmm256 EVEX_Vpord_zmm_k1z_zmm_zmmm512b32;
        I16 VEX_Vpor_ymm_ymm_ymmm256 EVEX_Vpord_zmm_k1z_zmm_zmmm512b32;
    }
    /// Bitwise exclusive or.
    Xor {
        I32 VEX_Vpxor_ymm_ymm_ymmm256 EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32;
        I64 VEX_Vpxor_ymm_ymm_ymmm256 EVEX_Vpxorq_zmm_k1z_zmm_zmmm512b64;
        I8 VEX_Vpxor_ymm_ymm_ymmm256 EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32;
        I16 VEX_Vpxor_ymm_ymm_ymmm256 EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32;
    }
    /// Shift left, each lane by its own amount.
    ShiftLeft {
        I32 VEX_Vpsllvd_ymm_ymm_ymmm256 EVEX_Vpsllvd_zmm_k1z_zmm_zmmm512b32;
        I64 VEX_Vpsllvq_ymm_ymm_ymmm256 EVEX_Vpsllvq_zmm_k1z_zmm_zmmm512b64;
        I16 INVALID EVEX_Vpsllvw_zmm_k1z_zmm_zmmm512;
    }
    /// Logical shift right, each lane by its own amount.
    ShiftRight {
        I32 VEX_Vpsrlvd_ymm_ymm_ymmm256 EVEX_Vpsrlvd_zmm_k1z_zmm_zmmm512b32;
        I64 VEX_Vpsrlvq_ymm_ymm_ymmm256 EVEX_Vpsrlvq_zmm_k1z_zmm_zmmm512b64;
        I16 INVALID EVEX_Vpsrlvw_zmm_k1z_zmm_zmmm512;
    }
    /// Arithmetic shift right, each lane by its own amount.
    ShiftSigned {
        I32 VEX_Vpsravd_ymm_ymm_ymmm256 EVEX_Vpsravd_zmm_k1z_zmm_zmmm512b32;
        I64 INVALID EVEX_Vpsravq_zmm_k1z_zmm_zmmm512b64;
        I16 INVALID EVEX_Vpsravw_zmm_k1z_zmm_zmmm512;
    }
    /// Shift left by an immediate.
    ShiftLeftBy {
        I32 VEX_Vpslld_ymm_ymm_imm8 EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8;
        I64 VEX_Vpsllq_ymm_ymm_imm8 EVEX_Vpsllq_zmm_k1z_zmmm512b64_imm8;
        I16 VEX_Vpsllw_ymm_ymm_imm8 EVEX_Vpsllw_zmm_k1z_zmmm512_imm8;
    }
    /// Logical shift right by an immediate.
    ShiftRightBy {
        I32 VEX_Vpsrld_ymm_ymm_imm8 EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8;
        I64 VEX_Vpsrlq_ymm_ymm_imm8 EVEX_Vpsrlq_zmm_k1z_zmmm512b64_imm8;
        I16 VEX_Vpsrlw_ymm_ymm_imm8 EVEX_Vpsrlw_zmm_k1z_zmmm512_imm8;
    }
    /// Arithmetic shift right by an immediate.
    ShiftSignedBy {
        I32 VEX_Vpsrad_ymm_ymm_imm8 EVEX_Vpsrad_zmm_k1z_zmmm512b32_imm8;
        I64 INVALID EVEX_Vpsraq_zmm_k1z_zmmm512b64_imm8;
        I16 VEX_Vpsraw_ymm_ymm_imm8 EVEX_Vpsraw_zmm_k1z_zmmm512_imm8;
    }
    /// Bits rotated left by an immediate.
    RotateBy {
        I32 INVALID EVEX_Vprold_zmm_k1z_zmmm512b32_imm8;
        I64 INVALID EVEX_Vprolq_zmm_k1z_zmmm512b64_imm8;
    }
    /// Bits rotated left, each lane by its own amount modulo the width.
    Rotate {
        I32 INVALID EVEX_Vprolvd_zmm_k1z_zmm_zmmm512b32;
        I64 INVALID EVEX_Vprolvq_zmm_k1z_zmm_zmmm512b64;
    }
    /// The first is multiplied by the second, and the third added.
    Fma213 {
        F32 VEX_Vfmadd213ps_ymm_ymm_ymmm256 EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfmadd213pd_ymm_ymm_ymmm256 EVEX_Vfmadd213pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// The product of the second and third is added to the first.
    Fma231 {
        F32 VEX_Vfmadd231ps_ymm_ymm_ymmm256 EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfmadd231pd_ymm_ymm_ymmm256 EVEX_Vfmadd231pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// The first is multiplied by the third, and the second added.
    Fma132 {
        F32 VEX_Vfmadd132ps_ymm_ymm_ymmm256 EVEX_Vfmadd132ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfmadd132pd_ymm_ymm_ymmm256 EVEX_Vfmadd132pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// The first is multiplied by the second, and the third subtracted.
    FmaSub213 {
        F32 VEX_Vfmsub213ps_ymm_ymm_ymmm256 EVEX_Vfmsub213ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfmsub213pd_ymm_ymm_ymmm256 EVEX_Vfmsub213pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// The first is subtracted from the product of the second and third.
    FmaSub231 {
        F32 VEX_Vfmsub231ps_ymm_ymm_ymmm256 EVEX_Vfmsub231ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfmsub231pd_ymm_ymm_ymmm256 EVEX_Vfmsub231pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// The first is multiplied by the third, and the second subtracted.
    FmaSub132 {
        F32 VEX_Vfmsub132ps_ymm_ymm_ymmm256 EVEX_Vfmsub132ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfmsub132pd_ymm_ymm_ymmm256 EVEX_Vfmsub132pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// The product of the first and second is subtracted from the third.
    NegFma213 {
        F32 VEX_Vfnmadd213ps_ymm_ymm_ymmm256 EVEX_Vfnmadd213ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfnmadd213pd_ymm_ymm_ymmm256 EVEX_Vfnmadd213pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// The product of the second and third is subtracted from the first.
    NegFma231 {
        F32 VEX_Vfnmadd231ps_ymm_ymm_ymmm256 EVEX_Vfnmadd231ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfnmadd231pd_ymm_ymm_ymmm256 EVEX_Vfnmadd231pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// The product of the first and third is subtracted from the second.
    NegFma132 {
        F32 VEX_Vfnmadd132ps_ymm_ymm_ymmm256 EVEX_Vfnmadd132ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfnmadd132pd_ymm_ymm_ymmm256 EVEX_Vfnmadd132pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// The product of the first and second, negated, less the third.
    NegFmaSub213 {
        F32 VEX_Vfnmsub213ps_ymm_ymm_ymmm256 EVEX_Vfnmsub213ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfnmsub213pd_ymm_ymm_ymmm256 EVEX_Vfnmsub213pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// The product of the second and third, negated, less the first.
    NegFmaSub231 {
        F32 VEX_Vfnmsub231ps_ymm_ymm_ymmm256 EVEX_Vfnmsub231ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfnmsub231pd_ymm_ymm_ymmm256 EVEX_Vfnmsub231pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// The product of the first and third, negated, less the second.
    NegFmaSub132 {
        F32 VEX_Vfnmsub132ps_ymm_ymm_ymmm256 EVEX_Vfnmsub132ps_zmm_k1z_zmm_zmmm512b32_er;
        F64 VEX_Vfnmsub132pd_ymm_ymm_ymmm256 EVEX_Vfnmsub132pd_zmm_k1z_zmm_zmmm512b64_er;
    }
    /// Any function of the bits of three, the first's register being the result's, by a truth table: its bit 4 a + 2 b + c
    /// is the result for bits a, b and c (SDM, VPTERNLOGD).
    Ternary {
        I32 INVALID EVEX_Vpternlogd_zmm_k1z_zmm_zmmm512b32_imm8;
        I64 INVALID EVEX_Vpternlogq_zmm_k1z_zmm_zmmm512b64_imm8;
        I8 INVALID EVEX_Vpternlogd_zmm_k1z_zmm_zmmm512b32_imm8;
        I16 INVALID EVEX_Vpternlogd_zmm_k1z_zmm_zmmm512b32_imm8;
    }
    /// Compares by an immediate, into a mask; integers as signed ones.
    Compare {
        F32 VEX_Vcmpps_ymm_ymm_ymmm256_imm8 EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae;
        F64 VEX_Vcmppd_ymm_ymm_ymmm256_imm8 EVEX_Vcmppd_kr_k1_zmm_zmmm512b64_imm8_sae;
        I32 INVALID EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8;
        I64 INVALID EVEX_Vpcmpq_kr_k1_zmm_zmmm512b64_imm8;
        I8 INVALID EVEX_Vpcmpb_kr_k1_zmm_zmmm512_imm8;
        I16 INVALID EVEX_Vpcmpw_kr_k1_zmm_zmmm512_imm8;
    }
    /// Compares unsigned integers by an immediate, into a mask.
    CompareUnsigned {
        I32 INVALID EVEX_Vpcmpud_kr_k1_zmm_zmmm512b32_imm8;
        I64 INVALID EVEX_Vpcmpuq_kr_k1_zmm_zmmm512b64_imm8;
        I8 INVALID EVEX_Vpcmpub_kr_k1_zmm_zmmm512_imm8;
        I16 INVALID EVEX_Vpcmpuw_kr_k1_zmm_zmmm512_imm8;
    }
    /// Whether integers are equal, into a mask.
    CompareEqual {
        I32 VEX_Vpcmpeqd_ymm_ymm_ymmm256 EVEX_Vpcmpeqd_kr_k1_zmm_zmmm512b32;
        I64 VEX_Vpcmpeqq_ymm_ymm_ymmm256 EVEX_Vpcmpeqq_kr_k1_zmm_zmmm512b64;
        I8 VEX_Vpcmpeqb_ymm_ymm_ymmm256 EVEX_Vpcmpeqb_kr_k1_zmm_zmmm512;
        I16 VEX_Vpcmpeqw_ymm_ymm_ymmm256 EVEX_Vpcmpeqw_kr_k1_zmm_zmmm512;
    }
    /// Whether the first signed integer is greater, into a mask.
    CompareGreater {
        I32 VEX_Vpcmpgtd_ymm_ymm_ymmm256 EVEX_Vpcmpgtd_kr_k1_zmm_zmmm512b32;
        I64 VEX_Vpcmpgtq_ymm_ymm_ymmm256 EVEX_Vpcmpgtq_kr_k1_zmm_zmmm512b64;
        I8 VEX_Vpcmpgtb_ymm_ymm_ymmm256 EVEX_Vpcmpgtb_kr_k1_zmm_zmmm512;
        I16 VEX_Vpcmpgtw_ymm_ymm_ymmm256 EVEX_Vpcmpgtw_kr_k1_zmm_zmmm512;
    }
    /// The second where the mask is set, else the first; on AVX2 the mask is a third operand.
    Blend {
        F32 VEX_Vblendvps_ymm_ymm_ymmm256_ymm EVEX_Vblendmps_zmm_k1z_zmm_zmmm512b32;
        F64 VEX_Vblendvpd_ymm_ymm_ymmm256_ymm EVEX_Vblendmpd_zmm_k1z_zmm_zmmm512b64;
        I32 VEX_Vblendvps_ymm_ymm_ymmm256_ymm EVEX_Vpblendmd_zmm_k1z_zmm_zmmm512b32;
        I64 VEX_Vblendvpd_ymm_ymm_ymmm256_ymm EVEX_Vpblendmq_zmm_k1z_zmm_zmmm512b64;
        I8 VEX_Vpblendvb_ymm_ymm_ymmm256_ymm EVEX_Vpblendmb_zmm_k1z_zmm_zmmm512;
        I16 VEX_Vpblendvb_ymm_ymm_ymmm256_ymm EVEX_Vpblendmw_zmm_k1z_zmm_zmmm512;
    }
    /// A copy, from memory or under a mask.
    Move {
        F32 VEX_Vmovups_ymm_ymmm256 EVEX_Vmovups_zmm_k1z_zmmm512;
        F64 VEX_Vmovupd_ymm_ymmm256 EVEX_Vmovupd_zmm_k1z_zmmm512;
        I32 VEX_Vmovdqu_ymm_ymmm256 EVEX_Vmovdqu32_zmm_k1z_zmmm512;
        I64 VEX_Vmovdqu_ymm_ymmm256 EVEX_Vmovdqu64_zmm_k1z_zmmm512;
        I8 VEX_Vmovdqu_ymm_ymmm256 EVEX_Vmovdqu8_zmm_k1z_zmmm512;
        I16 VEX_Vmovdqu_ymm_ymmm256 EVEX_Vmovdqu16_zmm_k1z_zmmm512;
    }
    /// Writes to memory.
    Store {
        F32 VEX_Vmovups_ymmm256_ymm EVEX_Vmovups_zmmm512_k1z_zmm;
        F64 VEX_Vmovupd_ymmm256_ymm EVEX_Vmovupd_zmmm512_k1z_zmm;
        I32 VEX_Vmovdqu_ymmm256_ymm EVEX_Vmovdqu32_zmmm512_k1z_zmm;
        I64 VEX_Vmovdqu_ymmm256_ymm EVEX_Vmovdqu64_zmmm512_k1z_zmm;
        I8 VEX_Vmovdqu_ymmm256_ymm EVEX_Vmovdqu8_zmmm512_k1z_zmm;
        I16 VEX_Vmovdqu_ymmm256_ymm EVEX_Vmovdqu16_zmmm512_k1z_zmm;
    }
    /// Writes to memory past the caches; the address must be aligned to the vector.
    StorePast {
        F32 VEX_Vmovntps_m256_ymm EVEX_Vmovntps_m512_zmm;
        F64 VEX_Vmovntpd_m256_ymm EVEX_Vmovntpd_m512_zmm;
        I8 VEX_Vmovntdq_m256_ymm EVEX_Vmovntdq_m512_zmm;
        I16 VEX_Vmovntdq_m256_ymm EVEX_Vmovntdq_m512_zmm;
        I32 VEX_Vmovntdq_m256_ymm EVEX_Vmovntdq_m512_zmm;
        I64 VEX_Vmovntdq_m256_ymm EVEX_Vmovntdq_m512_zmm;
    }
    /// One element from memory in every lane.
    Broadcast {
        F32 VEX_Vbroadcastss_ymm_m32 EVEX_Vbroadcastss_zmm_k1z_xmmm32;
        F64 VEX_Vbroadcastsd_ymm_m64 EVEX_Vbroadcastsd_zmm_k1z_xmmm64;
        I32 VEX_Vpbroadcastd_ymm_xmmm32 EVEX_Vpbroadcastd_zmm_k1z_xmmm32;
        I64 VEX_Vpbroadcastq_ymm_xmmm64 EVEX_Vpbroadcastq_zmm_k1z_xmmm64;
    }
    /// Integers of this lane's width become floats of the same width.
    FromInt {
        F32 VEX_Vcvtdq2ps_ymm_ymmm256 EVEX_Vcvtdq2ps_zmm_k1z_zmmm512b32_er;
        F64 INVALID EVEX_Vcvtqq2pd_zmm_k1z_zmmm512b64_er;
    }
    /// Unsigned integers of this lane's width become floats of the same width.
    FromUnsigned {
        F32 INVALID EVEX_Vcvtudq2ps_zmm_k1z_zmmm512b32_er;
        F64 INVALID EVEX_Vcvtuqq2pd_zmm_k1z_zmmm512b64_er;
    }
    /// Floats of this lane's width are truncated to integers of the same width.
    ToInt {
        F32 VEX_Vcvttps2dq_ymm_ymmm256 EVEX_Vcvttps2dq_zmm_k1z_zmmm512b32_sae;
        F64 INVALID EVEX_Vcvttpd2qq_zmm_k1z_zmmm512b64_sae;
    }
    /// Floats of this lane's width are truncated to unsigned integers of the same width.
    ToUnsigned {
        F32 INVALID EVEX_Vcvttps2udq_zmm_k1z_zmmm512b32_sae;
        F64 INVALID EVEX_Vcvttpd2uqq_zmm_k1z_zmmm512b64_sae;
    }
    /// From the lower half: signed integers of half the width to this lane.
    WidenInt {
        I64 VEX_Vpmovsxdq_ymm_xmmm128 EVEX_Vpmovsxdq_zmm_k1z_ymmm256;
        F64 VEX_Vcvtdq2pd_ymm_xmmm128 EVEX_Vcvtdq2pd_zmm_k1z_ymmm256b32_er;
        I16 VEX_Vpmovsxbw_ymm_xmmm128 EVEX_Vpmovsxbw_zmm_k1z_ymmm256;
    }
    /// From the lower half: unsigned integers of half the width to this lane.
    WidenUnsigned {
        I64 VEX_Vpmovzxdq_ymm_xmmm128 EVEX_Vpmovzxdq_zmm_k1z_ymmm256;
        F64 INVALID EVEX_Vcvtudq2pd_zmm_k1z_ymmm256b32_er;
        I16 VEX_Vpmovzxbw_ymm_xmmm128 EVEX_Vpmovzxbw_zmm_k1z_ymmm256;
    }
    /// From the lower half: f32 to f64.
    WidenFloat {
        F64 VEX_Vcvtps2pd_ymm_xmmm128 EVEX_Vcvtps2pd_zmm_k1z_ymmm256b32_sae;
    }
    /// To the lower half: 64-bit integers to this lane.
    NarrowInt {
        I32 INVALID EVEX_Vpmovqd_ymmm256_k1z_zmm;
        F32 INVALID EVEX_Vcvtqq2ps_ymm_k1z_zmmm512b64_er;
    }
    /// To the lower half: u64 to this lane.
    NarrowUnsigned {
        F32 INVALID EVEX_Vcvtuqq2ps_ymm_k1z_zmmm512b64_er;
    }
    /// To the lower half: f64 to f32.
    NarrowFloat {
        F32 VEX_Vcvtpd2ps_xmm_ymmm256 EVEX_Vcvtpd2ps_ymm_k1z_zmmm512b64_er;
    }
    /// Half of a vector, by an immediate, to the lower half.
    Half {
        I32 VEX_Vextracti128_xmmm128_ymm_imm8 EVEX_Vextracti64x4_ymmm256_k1z_zmm_imm8;
    }
    /// The first one with a half of it, by an immediate, replaced by the lower half of the second.
    SetHalf {
        I32 VEX_Vinserti128_ymm_ymm_xmmm128_imm8 EVEX_Vinserti64x4_zmm_k1z_zmm_ymmm256_imm8;
    }
    /// Lanes of the second and third as the numbers in the first say.
    Permute {
        F32 INVALID EVEX_Vpermi2ps_zmm_k1z_zmm_zmmm512b32;
        F64 INVALID EVEX_Vpermi2pd_zmm_k1z_zmm_zmmm512b64;
    }
    /// Two 32-bit lanes of each, by an immediate, per 128 bits.
    Shuffle {
        F32 VEX_Vshufps_ymm_ymm_ymmm256_imm8 EVEX_Vshufps_zmm_k1z_zmm_zmmm512b32_imm8;
        F64 VEX_Vshufpd_ymm_ymm_ymmm256_imm8 EVEX_Vshufpd_zmm_k1z_zmm_zmmm512b64_imm8;
    }
    /// The lower lanes of both, in turn, per 128 bits.
    UnpackLow {
        I8 VEX_Vpunpcklbw_ymm_ymm_ymmm256 EVEX_Vpunpcklbw_zmm_k1z_zmm_zmmm512;
        F32 VEX_Vunpcklps_ymm_ymm_ymmm256 EVEX_Vunpcklps_zmm_k1z_zmm_zmmm512b32;
        F64 VEX_Vunpcklpd_ymm_ymm_ymmm256 EVEX_Vunpcklpd_zmm_k1z_zmm_zmmm512b64;
    }
    /// The upper lanes of both, in turn, per 128 bits.
    UnpackHigh {
        I8 VEX_Vpunpckhbw_ymm_ymm_ymmm256 EVEX_Vpunpckhbw_zmm_k1z_zmm_zmmm512;
        F32 VEX_Vunpckhps_ymm_ymm_ymmm256 EVEX_Vunpckhps_zmm_k1z_zmm_zmmm512b32;
        F64 VEX_Vunpckhpd_ymm_ymm_ymmm256 EVEX_Vunpckhpd_zmm_k1z_zmm_zmmm512b64;
    }
    /// 64-bit quarters in an order given by an immediate.
    Quarters {
        I64 VEX_Vpermq_ymm_ymmm256_imm8 EVEX_Vpermq_zmm_k1z_zmmm512b64_imm8;
    }
    /// Halves of two vectors, by an immediate.
    Halves {
        I32 VEX_Vperm2i128_ymm_ymm_ymmm256_imm8 INVALID;
    }
    /// 8-bit integers from memory, sign-extended.
    LoadI8 { I32 VEX_Vpmovsxbd_ymm_xmmm64 EVEX_Vpmovsxbd_zmm_k1z_xmmm128; }
    /// 8-bit integers from memory, zero-extended.
    LoadU8 { I32 VEX_Vpmovzxbd_ymm_xmmm64 EVEX_Vpmovzxbd_zmm_k1z_xmmm128; }
    /// 16-bit integers from memory, sign-extended.
    LoadI16 { I32 VEX_Vpmovsxwd_ymm_xmmm128 EVEX_Vpmovsxwd_zmm_k1z_ymmm256; }
    /// 16-bit integers from memory, zero-extended.
    LoadU16 { I32 VEX_Vpmovzxwd_ymm_xmmm128 EVEX_Vpmovzxwd_zmm_k1z_ymmm256; }
    /// The low 8 bits, to memory.
    Store8 { I32 INVALID EVEX_Vpmovdb_xmmm128_k1z_zmm; }
    /// The low 16 bits, to memory.
    Store16 { I32 INVALID EVEX_Vpmovdw_ymmm256_k1z_zmm; }
    /// 32-bit lanes of both to 16 bits per 128 bits, saturating: of in-range values, the values.
    Pack16 { I32 VEX_Vpackusdw_ymm_ymm_ymmm256 INVALID; }
    /// 16-bit lanes of both to 8 bits per 128 bits, saturating.
    Pack8 { I32 VEX_Vpackuswb_ymm_ymm_ymmm256 EVEX_Vpackuswb_zmm_k1z_zmm_zmmm512; }
    /// Whether the bits that both have are any, into a mask.
    TestMask {
        I64 INVALID EVEX_Vptestmq_kr_k1_zmm_zmmm512b64;
        I32 INVALID EVEX_Vptestmd_kr_k1_zmm_zmmm512b32;
        I8 INVALID EVEX_Vptestmb_kr_k1_zmm_zmmm512;
        I16 INVALID EVEX_Vptestmw_kr_k1_zmm_zmmm512;
    }
    /// Whether no bit is set in both, into a mask.
    TestNotMask {
        I64 INVALID EVEX_Vptestnmq_kr_k1_zmm_zmmm512b64;
        I32 INVALID EVEX_Vptestnmd_kr_k1_zmm_zmmm512b32;
        I8 INVALID EVEX_Vptestnmb_kr_k1_zmm_zmmm512;
        I16 INVALID EVEX_Vptestnmw_kr_k1_zmm_zmmm512;
    }
}

/// The instructions on whole mask registers, for masks of 8 to 64 lanes: SDM, KANDW and following.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MaskOp {
    And,
    /// The first one's complement and the second.
    AndNot,
    Or,
    Xor,
    /// The complement of the exclusive or.
    Same,
    Not,
    Test,
}

impl MaskOp {
    /// The instruction for masks of so many lanes.
    pub(super) fn code(self, lanes: usize) -> Code {
        let [b, w, d, q] = match self {
            MaskOp::And => [
                VEX_Kandb_kr_kr_kr,
                VEX_Kandw_kr_kr_kr,
                VEX_Kandd_kr_kr_kr,
                VEX_Kandq_kr_kr_kr,
            ],
            MaskOp::AndNot => [
                VEX_Kandnb_kr_kr_kr,
                VEX_Kandnw_kr_kr_kr,
                VEX_Kandnd_kr_kr_kr,
                VEX_Kandnq_kr_kr_kr,
            ],
            MaskOp::Or => [
                VEX_Korb_kr_kr_kr,
                VEX_Korw_kr_kr_kr,
                VEX_Kord_kr_kr_kr,
                VEX_Korq_kr_kr_kr,
            ],
            MaskOp::Xor => [
                VEX_Kxorb_kr_kr_kr,
                VEX_Kxorw_kr_kr_kr,
                VEX_Kxord_kr_kr_kr,
                VEX_Kxorq_kr_kr_kr,
            ],
            MaskOp::Same => [
                VEX_Kxnorb_kr_kr_kr,
                VEX_Kxnorw_kr_kr_kr,
                VEX_Kxnord_kr_kr_kr,
                VEX_Kxnorq_kr_kr_kr,
            ],
            MaskOp::Not => [
                VEX_Knotb_kr_kr,
                VEX_Knotw_kr_kr,
                VEX_Knotd_kr_kr,
                VEX_Knotq_kr_kr,
            ],
            MaskOp::Test => [
                VEX_Kortestb_kr_kr,
                VEX_Kortestw_kr_kr,
                VEX_Kortestd_kr_kr,
                VEX_Kortestq_kr_kr,
            ],
        };
        match lanes {
            8 => b,
            16 => w,
            32 => d,
            _ => q,
        }
    }
}
