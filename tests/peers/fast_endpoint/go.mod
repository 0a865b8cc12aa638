module fast_endpoint

go 1.19

require (
	github.com/valyala/fasthttp v1.52.0
	github.com/valyala/fastjson v1.6.4
)

require (
	github.com/andybalholm/brotli v1.1.0 // indirect
	github.com/klauspost/compress v1.17.6 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
)
