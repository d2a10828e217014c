"""What dlib itself makes of some faces: the reference for the conversion of its network.

usage: dlib_reference.py MODELS_FOLDER OUT_FOLDER PICTURE...

For every picture with a face: OUT_FOLDER/<number>.rgb, the aligned 150 x 150 chip as bytes (rows, columns, RGB), and
OUT_FOLDER/<number>.f32, the 128 numbers of dlib's descriptor, little-endian.
"""

import pathlib
import sys

import dlib
import numpy as np


def main():
    models, out, pictures = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    network = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
    landmarks = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
    detector = dlib.get_frontal_face_detector()
    for number, picture in enumerate(pictures):
        image = dlib.load_rgb_image(picture)
        faces = detector(image, 0)
        if not faces:
            continue
        chip = dlib.get_face_chip(image, landmarks(image, faces[0]), 150, 0.25)
        assert chip.shape == (150, 150, 3) and chip.dtype == np.uint8
        (out / f"{number}.rgb").write_bytes(chip.tobytes())
        (out / f"{number}.f32").write_bytes(np.array(network.compute_face_descriptor(chip)).astype("<f4").tobytes())


if __name__ == "__main__":
    main()
