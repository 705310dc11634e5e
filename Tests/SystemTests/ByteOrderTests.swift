import Testing

@testable import System

struct ByteOrderTests {
  private static let bytes: [UInt8] = [0xff, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x88]

  @Test func `reads the lowest byte first`() {
    #expect(Self.bytes.littleEndian(at: 1) as UInt16 == 0x0201)
    #expect(Self.bytes.littleEndian(at: 1) as UInt32 == 0x0403_0201)
    #expect(Self.bytes.littleEndian(at: 1) as UInt64 == 0x8807_0605_0403_0201)
  }

  @Test func `reads the highest byte first`() {
    #expect(Self.bytes.bigEndian(at: 1) as UInt16 == 0x0102)
    #expect(Self.bytes.bigEndian(at: 5) as UInt32 == 0x0506_0788)
    #expect(Self.bytes.bigEndian(at: 1) as UInt64 == 0x0102_0304_0506_0788)
  }

  @Test func `appends what it reads`() {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: 0x0403_0201 as UInt32)
    bytes.append(littleEndian: 0x88 as UInt8)
    #expect(bytes == [0x01, 0x02, 0x03, 0x04, 0x88])
    #expect(bytes.littleEndian(at: 0) as UInt32 == 0x0403_0201)
  }
}
