#if ISAL
  internal import CISAL
  import System

  /// The calls to Intel's ISA-L, which deflates several times as fast as zlib for some percent of size.
  enum ISAL {
    /// The CRC-32 of data. The corresponding C function is `crc32_gzip_refl`.
    static func crc32(_ input: [UInt8]) -> UInt32 {
      unsafe input.withUnsafeBufferPointer { unsafe cisal_crc32($0.baseAddress, UInt64($0.count)) }
    }

    /// Compresses data into one array, raw, as ``Zlib/deflate(_:isLast:_:into:)`` does.
    ///
    /// - Parameters:
    ///   - level: 1 to 3.
    ///   - place: Where the stream is kept meanwhile.
    /// - Returns: The compressed bytes, or `nil` if there would be more than `capacity`.
    /// - Throws: ``ZipError/isal(code:)``.
    ///
    /// The corresponding C function is `isal_deflate_stateless`.
    static func deflate(
      _ input: [UInt8], isLast: Bool, level: UInt32, at place: ISALPlace, into capacity: Int
    ) throws(ZipError) -> [UInt8]? {
      let workSize = Int(cisal_level_buffer_size(level))
      let (code, output) = unsafe place.withStream { stream in
        var code = COMP_OK
        let output = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
          unsafe input.withUnsafeBufferPointer { input in
            unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: workSize) { work in
              var written: UInt32 = 0
              code = unsafe cisal_deflate(
                stream, level, work.baseAddress, UInt32(workSize), input.baseAddress, UInt32(input.count),
                isLast ? 1 : 0, output.baseAddress, UInt32(output.count), &written)
              count = code == COMP_OK ? Int(written) : 0
            }
          }
        }
        return (code, output)
      }
      guard code == COMP_OK || code == STATELESS_OVERFLOW else { throw .isal(code: code) }
      return code == COMP_OK ? output : nil
    }
  }

  /// Memory for the stream of one block at a time, of which ISA-L uses the first pages only.
  ///
  /// ISA-L hashes the third position of a block by bits 16 to 47 of the stream's address instead of by the data (2.30 to 2.32.1,
  /// `igzip_icf_body_h1_gr_bt.asm`): at another address it may miss a match, and the same data becomes other bytes.
  @safe final class ISALPlace: @unchecked Sendable {
    private let stream = UnsafeMutableRawPointer.allocate(
      byteCount: cisal_stream_size(), alignment: cisal_stream_alignment())
    private let use = Lock(())

    deinit { unsafe stream.deallocate() }

    /// Calls `body` with the memory, once no other thread has it.
    func withStream<Result: Sendable>(_ body: (UnsafeMutableRawPointer) -> Result) -> Result {
      use.withLock { _ in unsafe body(stream) }
    }
  }
#endif
