"""Shards of `tf.train.Example` records in the form of TensorFlow Datasets, written without TensorFlow.

ArrayRecord files are for random access: `tfds.data_source` reads them, without TensorFlow too. `tf.data`, and with it
`tfds.load`, cannot read them and needs TFRecord files; the format `tfds` therefore holds every record in both. Pictures
are handed to TFDS as encoded bytes, which it keeps as they are; arrays would need TensorFlow to encode them.
"""

import contextlib
import io
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

from engines.export.plan import NAME, VERSION, Plan
from engines.export.record import COLUMNS

CRC_MASK = 0xA282EAD8  # TFRecord stores checksums turned and shifted, so that one of a checksum is not a fixed point


def write(paths: list[Path], records: Iterable[dict[str, Any]]) -> None:
    """Write one shard to local paths, of an ArrayRecord file first and of a TFRecord file if there is a second."""
    from array_record.python.array_record_module import ArrayRecordWriter

    with contextlib.ExitStack() as stack:
        random = ArrayRecordWriter(str(paths[0]), "group_size:1")  # one record a group: each is read alone
        stack.callback(random.close)
        sinks: list[Callable[[bytes], Any]] = [random.write]
        if len(paths) > 1:
            file = stack.enter_context(paths[1].open("wb"))
            sinks.append(lambda data: _write_tfrecord(file, data))
        for data in _examples(records):
            for sink in sinks:
                sink(data)


def write_metadata(folder: str, plan: Plan, size_bytes: int) -> None:
    """Write what TFDS reads first, beside the shards: the features, and how many records each shard has."""
    from tensorflow_datasets import core
    from tensorflow_datasets.core import dataset_info

    first, *others = plan.suffixes()[::-1]  # what `tf.data` reads goes first
    template = core.ShardedFileTemplate(data_dir=folder, dataset_name=NAME, split=plan.split, filetype_suffix=first)
    lengths = [len(plan.span(shard)) for shard in range(plan.shards())]
    split = core.SplitInfo(name=plan.split, shard_lengths=lengths, num_bytes=size_bytes, filename_template=template)
    info = core.DatasetInfo(
        builder=dataset_info.DatasetIdentity(NAME, core.Version(VERSION), folder, module_name=""),
        description="Pictures with questions whose answers are right by construction.",
        features=_features(),
        alternative_file_formats=others,
    )
    info.set_file_format(first)
    info.set_splits(core.SplitDict([split]))
    info.write_to_directory(folder)


def _examples(records: Iterable[dict[str, Any]]) -> Iterable[bytes]:
    from tensorflow_datasets.proto import tf_example_pb2

    features = _features()
    for record in records:
        example = {**record, "image": io.BytesIO(record["image"])}  # serialising encodes
        # Protobuf writes the entries of a map in any order unless told not to.
        message = tf_example_pb2.Example.FromString(features.serialize_example(example))
        yield message.SerializeToString(deterministic=True)


def _features() -> Any:
    import numpy as np
    import tensorflow_datasets as tfds

    # The number lists of `tf.train.Example` have 32 bits, so a number of 64 is kept as its bytes.
    number = tfds.features.Tensor(shape=(), dtype=np.float64, encoding=tfds.features.Encoding.BYTES)
    types = {"string": tfds.features.Text(), "int64": np.int64, "bool": np.bool_, "float64": number}
    image = tfds.features.Image(shape=(None, None, 3), doc="PNG if clean, JPEG if photographed")
    return tfds.features.FeaturesDict({"image": image, **{name: types[kind] for name, kind in COLUMNS.items()}})


def _write_tfrecord(file: BinaryIO, data: bytes) -> None:
    """A record of a TFRecord file: length and data, each with its checksum (tensorflow/core/lib/io/record_writer.h)."""
    length = struct.pack("<Q", len(data))
    file.write(length + _checksum(length) + data + _checksum(data))


def _checksum(data: bytes) -> bytes:
    import google_crc32c

    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + CRC_MASK) & 0xFFFFFFFF)
