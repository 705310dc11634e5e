import System
import Foundation
import Testing

/// What an independent reading of every field of an archive has found.
struct StrictReader: Decodable {
  struct Member: Decodable {
    let name: String
    let method: Int
    let flags: Int
    let crc32: UInt32
    let size: UInt64
    let versionMadeBy: Int
    let versionNeeded: Int
    let externalAttributes: UInt32
    let dosDateTime: [Int]
    /// The extra fields by ID, in hexadecimal.
    let localExtra: [String: String]
    let centralExtra: [String: String]
    /// The sizes as the local header has them.
    let localSizeFields: [UInt64]
    /// Compressed size, uncompressed size and offset as the central directory has them.
    let centralFields: [UInt64]
    let descriptorByteCount: Int
    let dataOffset: UInt64
  }

  let members: [Member]
  let hasZip64End: Bool
  /// Entries, size and offset of the central directory as the last record has them.
  let endFields: [UInt64]

  /// Reads an archive and requires what APPNOTE requires: records without a gap, and local header, data, data
  /// descriptor and central directory header of one mind.
  init(_ archive: TestArchive) throws {
    let output = try Tool.python(Self.source, [archive.path], in: archive.folder)
    self = try JSONDecoder().decode(Self.self, from: Data(output.utf8))
  }

  private static let source = """
    import json, struct, sys, zlib
    data = open(sys.argv[1], 'rb').read()
    at = 0

    def take(layout):
        global at
        values = struct.unpack_from('<' + layout, data, at)
        at += struct.calcsize('<' + layout)
        return values

    def extras(count):
        global at
        end, found = at + count, {}
        while at < end:
            id, size = take('HH')
            assert '%04x' % id not in found, 'repeated extra field'
            found['%04x' % id] = data[at:at + size].hex()
            at += size
        assert at == end, 'extra field'
        return found

    def text(count):
        global at
        at += count
        return data[at - count:at].decode()

    members = []
    while data[at:at + 4] == b'PK\\x03\\x04':
        offset = at
        _, version, flags, method, time, date, crc, csize, size, n, m = take('IHHHHHIIIHH')
        name = text(n)
        extra = extras(m)
        assert flags == 0x808 and method == 8 and crc == 0, 'local header'
        wide = '0001' in extra
        assert (csize, size) == ((0xffffffff,) * 2 if wide else (0, 0)), 'local sizes'
        if wide:
            assert extra['0001'] == '00' * 16, 'local zip64'
        inflate = zlib.decompressobj(-15)
        content, start = b'', at
        data_offset = at
        while not inflate.eof:
            assert at < len(data), 'deflate stream'
            piece = data[at:at + 4096]
            content += inflate.decompress(piece)
            at += len(piece) - len(inflate.unused_data)
        compressed, start = at - start, at
        descriptor = take('IIQQ' if wide else 'IIII')
        assert descriptor == (0x08074b50, zlib.crc32(content), compressed, len(content)), 'data descriptor'
        members.append(dict(
            name=name, method=method, flags=flags, crc32=descriptor[1], size=len(content), versionNeeded=version,
            dosDateTime=[date, time], localExtra=extra, localSizeFields=[csize, size],
            descriptorByteCount=at - start, dataOffset=data_offset, _offset=offset, _compressed=compressed))

    directory = at
    for member in members:
        (signature, made, version, flags, method, time, date, crc, csize, size, n, m, k, disk, internal, external,
         offset) = take('IHHHHHHIIIHHHHHII')
        assert signature == 0x02014b50, 'central header'
        name = text(n)
        extra = extras(m)
        assert (k, disk, internal) == (0, 0, 0)
        assert (name, flags, method, crc, [date, time]) == (
            member['name'], member['flags'], member['method'], member['crc32'], member['dosDateTime']), 'headers differ'
        assert version >= member['versionNeeded'], 'version needed'
        member.update(
            versionMadeBy=made, versionNeeded=version, externalAttributes=external, centralExtra=extra,
            centralFields=[csize, size, offset])
        wide = bytes.fromhex(extra.get('0001', ''))
        values = []
        for value in (size, csize, offset):
            if value == 0xffffffff:
                value, wide = struct.unpack_from('<Q', wide)[0], wide[8:]
            values.append(value)
        assert not wide, 'zip64 values without need'
        assert values == [member['size'], member['_compressed'], member['_offset']], 'central values'

    size = at - directory
    zip64 = data[at:at + 4] == b'PK\\x06\\x06'
    if zip64:
        record = at
        assert take('IQHHIIQQQQ') == (
            0x06064b50, 44, 0x033f, 45, 0, 0, len(members), len(members), size, directory), 'zip64 end'
        assert take('IIQI') == (0x07064b50, 0, record, 1), 'zip64 locator'
    end = take('IHHHHIIH')
    assert end[0] == 0x06054b50 and end[1:3] == (0, 0) and end[3] == end[4] and end[7] == 0, 'end'
    for field, value, mark in zip(end[4:7], (len(members), size, directory), (0xffff, 0xffffffff, 0xffffffff)):
        assert field == value or (zip64 and field == mark), 'end fields'
    assert at == len(data), 'bytes after the end'
    print(json.dumps(dict(members=members, hasZip64End=zip64, endFields=end[4:7])))
    """
}
