package resources

// attributeNames are names of Android's own attributes by their resource ids, which never
// change (core/res/res/values/public.xml of the Android Open Source Project): those that say who
// an app is, and to whom it talks.
var attributeNames = map[uint32]string{
	0x01010001: "label",
	0x01010003: "name",
	0x01010006: "permission",
	0x0101000e: "enabled",
	0x0101000f: "debuggable",
	0x01010010: "exported",
	0x01010011: "process",
	0x01010018: "authorities",
	0x01010024: "value",
	0x01010025: "resource",
	0x01010026: "mimeType",
	0x01010027: "scheme",
	0x01010028: "host",
	0x01010029: "port",
	0x0101002a: "path",
	0x0101002b: "pathPrefix",
	0x0101002c: "pathPattern",
	0x0101020c: "minSdkVersion",
	0x0101021b: "versionCode",
	0x0101021c: "versionName",
	0x01010270: "targetSdkVersion",
	0x01010280: "allowBackup",
	0x010104ea: "extractNativeLibs",
	0x010104ec: "usesCleartextTraffic",
	0x01010527: "networkSecurityConfig",
}
