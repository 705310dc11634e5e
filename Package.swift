// swift-tools-version: 6.2
import PackageDescription

// Warnings are errors in CI only: a newer compiler must not break a user's build.
let inCI = Context.environment["CI"] == "true"

let testSettings: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  ] + (inCI ? [.treatAllWarnings(as: .error)] : [])

let settings = testSettings + [.strictMemorySafety()]

let package = Package(
  name: "sluice",
  traits: [
    .trait(name: "ISAL", description: "Deflate with Intel's ISA-L, several times as fast as zlib.")
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
  ],
  targets: [
    // Module maps over the system's own headers.
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(
      name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

    // The rooms, each depending only on those above it. docs/how-it-works.md draws them.
    .target(name: "System", dependencies: ["CLinux"], swiftSettings: settings),
    .target(name: "EventLoop", dependencies: ["CLinux", "System"], swiftSettings: settings),
    .target(
      name: "Zip",
      dependencies: ["CZlib", "System", .target(name: "CISAL", condition: .when(traits: ["ISAL"]))],
      swiftSettings: settings),
    .target(name: "SQLiteSnapshot", dependencies: ["CSQLite", "System"], swiftSettings: settings),
    .target(name: "Systemd", dependencies: ["CSystemd", "System"], swiftSettings: settings),
    .target(name: "HTTP1", dependencies: ["EventLoop", "System"], swiftSettings: settings),
    .target(
      name: "Delta", dependencies: ["System", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(
      name: "Archive",
      dependencies: [
        "Delta", "SQLiteSnapshot", "System", "Zip",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: settings),
    .target(
      name: "Restore",
      dependencies: [
        "Archive", "SQLiteSnapshot", "System", "Zip",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: settings),
    .target(
      name: "Pull",
      dependencies: ["System", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: settings),
    .target(
      name: "Service",
      dependencies: [
        "Archive", "Delta", "EventLoop", "HTTP1", "System", "Systemd", "Zip",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "sluice",
      dependencies: [
        "Archive", "CLinux", "Delta", "EventLoop", "HTTP1", "Pull", "Restore", "SQLiteSnapshot", "Service",
        "System",
        "Systemd", "Zip",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),

    .target(
      name: "TestSupport", dependencies: ["EventLoop", "System"], path: "Tests/TestSupport",
      swiftSettings: testSettings),
    .testTarget(name: "SystemTests", dependencies: ["System", "TestSupport"], swiftSettings: testSettings),
    .testTarget(
      name: "EventLoopTests", dependencies: ["EventLoop", "System", "TestSupport"],
      swiftSettings: testSettings),
    .testTarget(name: "ZipTests", dependencies: ["System", "Zip"], swiftSettings: testSettings),
    .testTarget(
      name: "SQLiteSnapshotTests", dependencies: ["CSQLite", "SQLiteSnapshot", "System", "TestSupport"],
      swiftSettings: testSettings),
    .testTarget(
      name: "DeltaTests", dependencies: ["Delta", "System", "TestSupport"], swiftSettings: testSettings),
    .testTarget(name: "SystemdTests", dependencies: ["System", "Systemd"], swiftSettings: testSettings),
    .testTarget(
      name: "HTTP1Tests", dependencies: ["EventLoop", "HTTP1", "System", "TestSupport"],
      swiftSettings: testSettings),
    .testTarget(
      name: "ArchiveTests",
      dependencies: [
        "Archive", "CSQLite", "Delta", "EventLoop", "SQLiteSnapshot", "System", "TestSupport", "Zip",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: testSettings),
    .testTarget(
      name: "RestoreTests",
      dependencies: ["Archive", "Restore", "System", "TestSupport", "Zip"],
      swiftSettings: testSettings),
    .testTarget(name: "PullTests", dependencies: ["Pull", "System"], swiftSettings: testSettings),
    .testTarget(
      name: "ServiceTests",
      dependencies: [
        "Archive", "EventLoop", "HTTP1", "SQLiteSnapshot", "Service", "System", "TestSupport", "Zip",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: testSettings),
  ]
)
