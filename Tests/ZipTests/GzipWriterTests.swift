import Testing

@testable import Zip

@Suite struct GzipWriterTests {
  @Test(arguments: [Compression.store, .fast, .default], [0, 1, 262_143, 262_144, 262_145, 1_000_000])
  func `gunzip finds what was written`(compression: Compression, count: Int) throws {
    let bytes = Bytes.pages(count)
    var writer = GzipWriter(compression)
    var file: [UInt8] = []
    for start in stride(from: 0, to: count, by: 70_001) {
      try writer.add(Array(bytes[start..<min(count, start + 70_001)]))
      file += writer.takeOutput()
    }
    try writer.finish()
    file += writer.takeOutput()
    let folder = try TemporaryFolder()
    let paths = [try folder.write(file, to: "file.gz"), try folder.write(bytes, to: "file")]
    let verdict = try Tool.python(
      "import gzip, sys; print(gzip.open(sys.argv[1]).read() == open(sys.argv[2], 'rb').read())", paths,
      in: folder)
    #expect(verdict == "True\n")
  }

  private func file(of number: Int, by writer: inout GzipWriter) throws -> [UInt8] {
    try writer.add(Bytes.repeated(number))
    try writer.finish()
    return writer.takeOutput()
  }

  @Test func `a rewound one makes the same bytes of the same`() throws {
    for number in 0..<200 {
      var writer = GzipWriter(.default)
      var rewound = writer.rewound()
      #expect(try file(of: number, by: &writer) == file(of: number, by: &rewound))
    }
  }
}
