"""The message classes, made from the committed descriptor set: no generated Python is needed."""
from importlib.resources import files

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_pool = descriptor_pool.DescriptorPool()
for _file in descriptor_pb2.FileDescriptorSet.FromString(files(__package__).joinpath("runner.binpb").read_bytes()).file:
    _pool.Add(_file)

Request = message_factory.GetMessageClass(_pool.FindMessageTypeByName("engram.v1.Request"))
Reply = message_factory.GetMessageClass(_pool.FindMessageTypeByName("engram.v1.Reply"))
FilePiece = message_factory.GetMessageClass(_pool.FindMessageTypeByName("engram.v1.FilePiece"))
GetReply = message_factory.GetMessageClass(_pool.FindMessageTypeByName("engram.v1.GetReply"))
PROTOCOL_VERSION = _pool.FindEnumTypeByName("engram.v1.ProtocolVersion").values_by_name["PROTOCOL_VERSION_CURRENT"].number
