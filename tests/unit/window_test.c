/* kernels/row/window.h against golden values: Python's division of integers of any size, which rounds once to nearest even. */
#include "kernels/row/window.h"

#include <criterion/criterion.h>

#define U128(hi, lo) ((ride_u128)(hi) << 64 | (lo))

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static const struct {
    ride_u128 numerator, denominator;
    double expected;
} ratios[] = {
    /* clang-format off */
    {U128(0x0u, 0x269e0d37f2a74de4u), U128(0xd128b2f33u, 0xc5c7fd0a6a3a450u), 0x1.7a2036615b5cbp-39},
    {U128(0xed904759531985du, 0x5d9dc9f81818e811u), U128(0x0u, 0x1600a35099950d8u), 0x1.598205d865d9ap+67},
    {U128(0xf6705cu, 0x11e20b8f6b0d549bu), U128(0x0u, 0x8d116u), 0x1.bf384b929de6cp+68},
    {U128(0x243064bu, 0xd3ac94af0f21ddb6u), U128(0x0u, 0xf28c1u), 0x1.3191f23fb862fp+69},
    {U128(0x0u, 0x2827dda170b338u), U128(0x0u, 0x4u), 0x1.413eed0b8599cp+51},
    {U128(0xe26346u, 0xf9ebdacc0cb1e29cu), U128(0x0u, 0x4u), 0x1.c4c68df3d7b5ap+85},
    {U128(0x0u, 0xd69964a23d596u), U128(0x0u, 0x3c4f48a6a63ecu), 0x1.c775ed84f5c16p+1},
    {U128(0x0u, 0xd0eda828f6d0558u), U128(0x0u, 0x129c771a61dbe2u), 0x1.673aff1f6ed66p+7},
    {U128(0x0u, 0x63c4d5f557203u), U128(0x0u, 0x907a7u), 0x1.618f3e2b5996ap+31},
    {U128(0x0u, 0x1u), U128(0x0u, 0xae2eb157f150524u), 0x1.783fd0c0e7f29p-60},
    {U128(0x7731af10506bf2efu, 0xc6f877186d76b07eu), U128(0xcb5c74273f98e277u, 0x4cbd87ad5c90a958u), 0x1.2c17f2958d36ap-1},
    {U128(0x0u, 0x18f45db2f14c94u), U128(0x0u, 0x930d6ea14f4733fu), 0x1.5b8ac8e3a302fp-7},
    {U128(0x0u, 0x7ebff2086734721u), U128(0x0u, 0x72e6cc3ababced20u), 0x1.1a65d5e5b6955p-4},
    {U128(0x0u, 0x1e398u), U128(0x25790f82eu, 0xc1d3fcff2a3af4d4u), 0x1.9cf71613ff453p-81},
    {U128(0x558818e8f646e1f4u, 0xa097c976bf46c69u), U128(0x0u, 0xc3baeu), 0x1.bf79c0828d87dp+106},
    {U128(0xd17f9acae01f5057u, 0xca02135e92b1d3f2u), U128(0x0u, 0xb1fee08f57124242u), 0x1.2d4efeb6b3df4p+64},
    {U128(0x8cd396874c9df6au, 0xcc011cdd9474031bu), U128(0x0u, 0xf1d69u), 0x1.2a257c4c10b5dp+103},
    {U128(0x0u, 0xb271594795e8229u), U128(0x0u, 0xf880u), 0x1.6fa81f7b486f9p+43},
    {U128(0x0u, 0x93f448ba5aa3c81u), U128(0xe315128862c33a4fu, 0xb774eb5248db40afu), 0x1.4d973de9c0842p-69},
    {U128(0x0u, 0xf0ce583505c6af07u), U128(0x1df9fd789c653938u, 0x2b0537e65affb229u), 0x1.010f990270c9bp-61},
    {U128(0x24ca91ccc4aaeac1u, 0x37dc76fb0f17a300u), U128(0x0u, 0x7ec75bd0561e6u), 0x1.292a62e428239p+74},
    {U128(0x37c560au, 0xeab477d26415479cu), U128(0x66d2287672fdf202u, 0x2a96fb1a14a0f9e7u), 0x1.15b6a4c1a33c6p-37},
    {U128(0xd1bc52d9230d977eu, 0xe22571594720771fu), U128(0xb47469a4du, 0x8cdb305fdd2e1609u), 0x1.2989fc7f55eafp+28},
    {U128(0x2bb1bc0u, 0x5bd86d40fc891b4au), U128(0x126a2c0bdu, 0x3b1287fff52ddf5du), 0x1.2fb78ac4bebbcp-7},
    {U128(0x0u, 0x76c3026bb7dbdu), U128(0x0u, 0x7c268470316909eu), 0x1.e9c6ded91f0f9p-9},
    {U128(0x0u, 0x9059343435cc5u), U128(0x0u, 0x1u), 0x1.20b268686b98ap+51},
    {U128(0x27072abu, 0x5e8766ed88daf401u), U128(0x1u, 0x20203626f3fe39c0u), 0x1.15694531f44c3p+25},
    {U128(0xad1b72dba7abe1c2u, 0x9e1a8ef4f341e07au), U128(0x0u, 0x3u), 0x1.cd9e879f14750p+125},
    {U128(0x64e50cad66237a04u, 0x65e7e4236472f1a3u), U128(0x0u, 0x7b451u), 0x1.a310bec02ef21p+107},
    {U128(0x44f6c5u, 0x30cbc97d0fef7928u), U128(0x0u, 0x298cb3a70ccec31u), 0x1.a8e87c0720c54p+28},
    {U128(0x0u, 0x570dcu), U128(0x0u, 0x1u), 0x1.5c37000000000p+18},
    {U128(0x0u, 0x1u), U128(0x0u, 0x33f32895fd7b3u), 0x1.3b6193786c520p-50},
    {U128(0x0u, 0x68739fa9d1de2a0u), U128(0x0u, 0xdfd43u), 0x1.dddbbea7d2ef6p+38},
    {U128(0x0u, 0x1814249d33a01cu), U128(0x0u, 0x8127ea268aa87u), 0x1.7dcf9ae9b4f34p+1},
    {U128(0x0u, 0x5d39d0a89a2ef80fu), U128(0x7cf20724d953ee26u, 0x1d87cec31f7296abu), 0x1.7e05145873f6bp-65},
    {U128(0xafe44cf4fd58dbeu, 0x7bdc968b7afb2c68u), U128(0x0u, 0x17fd541a28f7b3u), 0x1.d53fb37aa3673p+70},
    {U128(0x0u, 0x43c71b9abd87a865u), U128(0x842e7fc229540a6eu, 0xb12aa1f6d42fddbbu), 0x1.0688c8f141e7ap-65},
    {U128(0x0u, 0x0u), U128(0x1u, 0xb0a844e52587be6bu), 0x0.0p+0},
    {U128(0x0u, 0x1u), U128(0x0u, 0xa49636a2fa7f0eabu), 0x1.8e2f62bc562dep-64},
    {U128(0x0u, 0xb239fu), U128(0x0u, 0x5de0099784b5a818u), 0x1.e6072289437c6p-44},
    {U128(0x0u, 0x18b3b75b0ee76fu), U128(0x0u, 0x8aa42488857f9a4u), 0x1.6ce5978a3606fp-7},
    {U128(0x9cfc865239194242u, 0xa2eddbbd5464ecc2u), U128(0x0u, 0x3d4882ace5b2a92u), 0x1.47e4416e91780p+69},
    {U128(0xe82e65u, 0xcda6c6fdbd685167u), U128(0x0u, 0x7e26f368483f8b8u), 0x1.d72a137191103p+28},
    {U128(0x0u, 0x76b3e36bb2313f5u), U128(0x0u, 0x6u), 0x1.3c8a5e7485d8bp+56},
    {U128(0x0u, 0x425940578e4b98du), U128(0x0u, 0x9aea642b1491e24u), 0x1.b69161df0903dp-2},
    {U128(0x0u, 0xcefe2a1f727d8349u), U128(0x0u, 0xf979d04af47aebddu), 0x1.a8cfdf7533a74p-1},
    {U128(0x0u, 0x38703u), U128(0x0u, 0x3a129u), 0x1.f1975eba3c1efp-1},
    {U128(0x3dc7955a3451d013u, 0x5675f6ad325b55ddu), U128(0x0u, 0x3u), 0x1.497dc7366c5f0p+124},
    {U128(0x0u, 0xa4a45effccb573d9u), U128(0x0u, 0xd5ab8u), 0x1.8a84bdfb957c2p+43},
    {U128(0x0u, 0xe8e72u), U128(0x3c0093492u, 0xb6246771c8450070u), 0x1.f0d73c5f944cep-79},
    {U128(0x650263cf6f15b6adu, 0x2db3997fe39639beu), U128(0x1u, 0xcd02c5e116353d03u), 0x1.c0b99e5dc4964p+61},
    {U128(0x2f93173u, 0x66c1494e7691b06fu), U128(0x0u, 0xb98c6u), 0x1.068db0fe492f0p+70},
    {U128(0x0u, 0x1fc7932b855c1fu), U128(0x0u, 0x4d639070d7109u), 0x1.a480da13ae9fcp+2},
    {U128(0x4e4808f7256badf9u, 0xa7e6529bce76e9f4u), U128(0x27e9e06f59b44e92u, 0xeffddeeaa842bc19u), 0x1.f615eb3e2b129p+0},
    {U128(0x3a56cc1057a40b2u, 0x2188287e8c5c715fu), U128(0x0u, 0x86ce0u), 0x1.bb2755370460cp+102},
    {U128(0x0u, 0x1f91d06f0e2289u), U128(0x0u, 0xdfb85c0d37ee915u), 0x1.20ff4cfac462ap-7},
    {U128(0x0u, 0x101e0f072a98d2u), U128(0x0u, 0x804c25d4affdcd1u), 0x1.0147e1ba5adb1p-7},
    {U128(0x0u, 0x25882fc38084a0u), U128(0x0u, 0x8b5ab3ee4265bb31u), 0x1.13caa5b358d3cp-10},
    {U128(0x0u, 0x1d1edc0f977044u), U128(0x1u, 0x754a09cde5cfedfau), 0x1.3f882086070ddp-12},
    {U128(0xe0cfab4ceaefc4d2u, 0xd3bf6d016bae4b5bu), U128(0x0u, 0x4dbd78825ae56u), 0x1.72277bdb848aap+77},
    {U128(0x21629b8eu, 0xbea822375d1a1469u), U128(0x0u, 0x70df703017u), 0x1.2ee02e3648dc9p+54},
    {U128(0x21629b8eu, 0xbea822375d1a146au), U128(0x0u, 0x70df703017u), 0x1.2ee02e3648dcap+54},
    {U128(0x21629b8eu, 0xbea822375d1a146bu), U128(0x0u, 0x70df703017u), 0x1.2ee02e3648dcap+54},
    {U128(0x3c046267u, 0x134ac1b8151e8ce5u), U128(0x0u, 0xccc6aa7d55u), 0x1.2c1ee932cba53p+54},
    {U128(0x3c046267u, 0x134ac1b8151e8ce6u), U128(0x0u, 0xccc6aa7d55u), 0x1.2c1ee932cba54p+54},
    {U128(0x3c046267u, 0x134ac1b8151e8ce7u), U128(0x0u, 0xccc6aa7d55u), 0x1.2c1ee932cba54p+54},
    {U128(0xb18b2fd1u, 0x2bbfae0e92ee08c7u), U128(0x0u, 0x9e7936d537u), 0x1.1ece65cd32217p+56},
    {U128(0xb18b2fd1u, 0x2bbfae0e92ee08c8u), U128(0x0u, 0x9e7936d537u), 0x1.1ece65cd32218p+56},
    {U128(0xb18b2fd1u, 0x2bbfae0e92ee08c9u), U128(0x0u, 0x9e7936d537u), 0x1.1ece65cd32218p+56},
    {U128(0x42b61a31u, 0xae95f32aa2173811u), U128(0x0u, 0xae537390e5u), 0x1.87ddac259402ap+54},
    {U128(0x42b61a31u, 0xae95f32aa2173812u), U128(0x0u, 0xae537390e5u), 0x1.87ddac259402ap+54},
    {U128(0x42b61a31u, 0xae95f32aa2173813u), U128(0x0u, 0xae537390e5u), 0x1.87ddac259402bp+54},
    {U128(0x2ecb6441c8u, 0x1248ab2c6d92faffu), U128(0x0u, 0xc6c8c614b3u), 0x1.e21b30d94fe4cp+61},
    {U128(0x2ecb6441c8u, 0x1248ab2c6d92fb00u), U128(0x0u, 0xc6c8c614b3u), 0x1.e21b30d94fe4cp+61},
    {U128(0x2ecb6441c8u, 0x1248ab2c6d92fb01u), U128(0x0u, 0xc6c8c614b3u), 0x1.e21b30d94fe4dp+61},
    {U128(0xc92359du, 0x782ed30f17958011u), U128(0x0u, 0x303f9d52f9u), 0x1.0acd8a37204c8p+54},
    {U128(0xc92359du, 0x782ed30f17958012u), U128(0x0u, 0x303f9d52f9u), 0x1.0acd8a37204c8p+54},
    {U128(0xc92359du, 0x782ed30f17958013u), U128(0x0u, 0x303f9d52f9u), 0x1.0acd8a37204c9p+54},
    {U128(0x3b5cfb28u, 0x5c13a4a2ebc6344bu), U128(0x0u, 0x7381f98b53u), 0x1.0722347e6bfa0p+55},
    {U128(0x3b5cfb28u, 0x5c13a4a2ebc6344cu), U128(0x0u, 0x7381f98b53u), 0x1.0722347e6bfa0p+55},
    {U128(0x3b5cfb28u, 0x5c13a4a2ebc6344du), U128(0x0u, 0x7381f98b53u), 0x1.0722347e6bfa1p+55},
    {U128(0x5254f0c8u, 0xe21902eab920424bu), U128(0x0u, 0x537178ba0bu), 0x1.f92e24e67504cp+55},
    {U128(0x5254f0c8u, 0xe21902eab920424cu), U128(0x0u, 0x537178ba0bu), 0x1.f92e24e67504cp+55},
    {U128(0x5254f0c8u, 0xe21902eab920424du), U128(0x0u, 0x537178ba0bu), 0x1.f92e24e67504dp+55},
    {U128(0xd53b38fcu, 0x34a4853eea0f806fu), U128(0x0u, 0x46b156d1adu), 0x1.8216839e67781p+57},
    {U128(0xd53b38fcu, 0x34a4853eea0f8070u), U128(0x0u, 0x46b156d1adu), 0x1.8216839e67782p+57},
    {U128(0xd53b38fcu, 0x34a4853eea0f8071u), U128(0x0u, 0x46b156d1adu), 0x1.8216839e67782p+57},
    {U128(0x334bfa40b3u, 0x9de2e889522680ffu), U128(0x0u, 0xf181fc069fu), 0x1.b2fff1fb32f6fp+61},
    {U128(0x334bfa40b3u, 0x9de2e88952268100u), U128(0x0u, 0xf181fc069fu), 0x1.b2fff1fb32f70p+61},
    {U128(0x334bfa40b3u, 0x9de2e88952268101u), U128(0x0u, 0xf181fc069fu), 0x1.b2fff1fb32f70p+61},
    {U128(0x45eb8c51fu, 0x21c44805b51e3ddfu), U128(0x0u, 0x8fec3b9605u), 0x1.f179f7245cb31p+58},
    {U128(0x45eb8c51fu, 0x21c44805b51e3de0u), U128(0x0u, 0x8fec3b9605u), 0x1.f179f7245cb32p+58},
    {U128(0x45eb8c51fu, 0x21c44805b51e3de1u), U128(0x0u, 0x8fec3b9605u), 0x1.f179f7245cb32p+58},
    {U128(0x1455f893au, 0x798442c9e25c24fu), U128(0x0u, 0x72d70a39d1u), 0x1.6aa8b918d9f0ap+57},
    {U128(0x1455f893au, 0x798442c9e25c250u), U128(0x0u, 0x72d70a39d1u), 0x1.6aa8b918d9f0ap+57},
    {U128(0x1455f893au, 0x798442c9e25c251u), U128(0x0u, 0x72d70a39d1u), 0x1.6aa8b918d9f0bp+57},
    {U128(0x3ccf2c77u, 0x87eeda674ec7b823u), U128(0x0u, 0x716471fde5u), 0x1.12926287206aap+55},
    {U128(0x3ccf2c77u, 0x87eeda674ec7b824u), U128(0x0u, 0x716471fde5u), 0x1.12926287206aap+55},
    {U128(0x3ccf2c77u, 0x87eeda674ec7b825u), U128(0x0u, 0x716471fde5u), 0x1.12926287206abp+55},
    {U128(0x3d87fbbeu, 0x2e9e1ae5add7c48fu), U128(0x0u, 0x126da79a87u), 0x1.ab6281b396b57p+57},
    {U128(0x3d87fbbeu, 0x2e9e1ae5add7c490u), U128(0x0u, 0x126da79a87u), 0x1.ab6281b396b58p+57},
    {U128(0x3d87fbbeu, 0x2e9e1ae5add7c491u), U128(0x0u, 0x126da79a87u), 0x1.ab6281b396b58p+57},
    {U128(0xe1e96257u, 0x94296b6bf4c1ba1fu), U128(0x0u, 0x1fc8b007efu), 0x1.c6e50f2d1c31fp+58},
    {U128(0xe1e96257u, 0x94296b6bf4c1ba20u), U128(0x0u, 0x1fc8b007efu), 0x1.c6e50f2d1c320p+58},
    {U128(0xe1e96257u, 0x94296b6bf4c1ba21u), U128(0x0u, 0x1fc8b007efu), 0x1.c6e50f2d1c320p+58},
    {U128(0x1316304e8u, 0x76ce09961f709ac7u), U128(0x0u, 0xb7f0836085u), 0x1.a9069525cd4e2p+56},
    {U128(0x1316304e8u, 0x76ce09961f709ac8u), U128(0x0u, 0xb7f0836085u), 0x1.a9069525cd4e2p+56},
    {U128(0x1316304e8u, 0x76ce09961f709ac9u), U128(0x0u, 0xb7f0836085u), 0x1.a9069525cd4e3p+56},
    {U128(0x247934134u, 0x8aa0553a6c6a8bbfu), U128(0x0u, 0x40249a4585u), 0x1.23231f100aa91p+59},
    {U128(0x247934134u, 0x8aa0553a6c6a8bc0u), U128(0x0u, 0x40249a4585u), 0x1.23231f100aa92p+59},
    {U128(0x247934134u, 0x8aa0553a6c6a8bc1u), U128(0x0u, 0x40249a4585u), 0x1.23231f100aa92p+59},
    {U128(0x1a26fc11b9u, 0xcb2766c1a316aeffu), U128(0x0u, 0xbf3836e865u), 0x1.18189f9eba7c1p+61},
    {U128(0x1a26fc11b9u, 0xcb2766c1a316af00u), U128(0x0u, 0xbf3836e865u), 0x1.18189f9eba7c2p+61},
    {U128(0x1a26fc11b9u, 0xcb2766c1a316af01u), U128(0x0u, 0xbf3836e865u), 0x1.18189f9eba7c2p+61},
    {U128(0xf8814260bu, 0xb23ed276c3a31c7fu), U128(0x0u, 0x7ce28af605u), 0x1.fd68314d678d2p+60},
    {U128(0xf8814260bu, 0xb23ed276c3a31c80u), U128(0x0u, 0x7ce28af605u), 0x1.fd68314d678d2p+60},
    {U128(0xf8814260bu, 0xb23ed276c3a31c81u), U128(0x0u, 0x7ce28af605u), 0x1.fd68314d678d3p+60},
    {U128(0x2ce829604u, 0xb5c76d00ea25f54fu), U128(0x0u, 0xb42955d6f1u), 0x1.fe7b8b73c1b52p+57},
    {U128(0x2ce829604u, 0xb5c76d00ea25f550u), U128(0x0u, 0xb42955d6f1u), 0x1.fe7b8b73c1b52p+57},
    {U128(0x2ce829604u, 0xb5c76d00ea25f551u), U128(0x0u, 0xb42955d6f1u), 0x1.fe7b8b73c1b53p+57},
    /* clang-format on */
};

static const struct {
    uint64_t n;
    int64_t sum;
    ride_u128 sumsq;
    int32_t scale;
    int population;
    double expected;
} variances[] = {
    /* clang-format off */
    {5000, -17095320507594ll, U128(0x66ebb1eu, 0x15b2170b141f455cu), 2, 0, 0x1.1452a03f58a78p+65},
    {5000, -17095320507594ll, U128(0x66ebb1eu, 0x15b2170b141f455cu), 2, 1, 0x1.14447a6e072d7p+65},
    {8589934592, -34359738368ll, U128(0x0u, 0x5200000000u), 2, 0, 0x1.47ae147b851ecp-9},
    {8589934592, -34359738368ll, U128(0x0u, 0x5200000000u), 2, 1, 0x1.47ae147ae147bp-9},
    {2, 337703445135147267ll, U128(0x25476254c9efdb1u, 0xdb5750497a3e6e31u), 2, 0, 0x1.df9ff39fc3d9dp+107},
    {2, 337703445135147267ll, U128(0x25476254c9efdb1u, 0xdb5750497a3e6e31u), 2, 1, 0x1.df9ff39fc3d9dp+106},
    {5000, 33269969958740ll, U128(0x683f22cu, 0xe87ee3497e401fcau), 0, 0, 0x1.55a04c31ffaa3p+78},
    {5000, 33269969958740ll, U128(0x683f22cu, 0xe87ee3497e401fcau), 0, 1, 0x1.558ece6ed0756p+78},
    {2, 2ll, U128(0x0u, 0x34u), 9, 0, 0x1.cd2b297d889bcp-55},
    {2, 2ll, U128(0x0u, 0x34u), 9, 1, 0x1.cd2b297d889bcp-56},
    {7, 1295703641067ll, U128(0xbb62u, 0x3b1f8a6c0e41d247u), 9, 0, 0x1.a3f5dbf889f7ap+16},
    {7, 1295703641067ll, U128(0xbb62u, 0x3b1f8a6c0e41d247u), 9, 1, 0x1.67f74ed5088b2p+16},
    {7, 1442588ll, U128(0x0u, 0x240a3e5c4b6u), 2, 0, 0x1.151e9903043b8p+25},
    {7, 1442588ll, U128(0x0u, 0x240a3e5c4b6u), 2, 1, 0x1.db0fe1bc07418p+24},
    {5000, 12723917224185ll, U128(0x695b0c2u, 0x2376213f6775feb5u), 2, 0, 0x1.1add2fb4ad983p+65},
    {5000, 12723917224185ll, U128(0x695b0c2u, 0x2376213f6775feb5u), 2, 1, 0x1.1aceb4268fdd2p+65},
    {7, -900292396874ll, U128(0x29674u, 0xef238521364b6c8au), 6, 0, 0x1.d39cf14c85184p+38},
    {7, -900292396874ll, U128(0x29674u, 0xef238521364b6c8au), 6, 1, 0x1.90cfaa4196a71p+38},
    {3, -1993642005618ll, U128(0x1ea4fu, 0x69a199b85dd47744u), 18, 0, 0x1.16d1028d756a3p-41},
    {3, -1993642005618ll, U128(0x1ea4fu, 0x69a199b85dd47744u), 18, 1, 0x1.73c158bc9c8dap-42},
    {7, 10ll, U128(0x0u, 0xe2u), 2, 0, 0x1.ce7f35c64e0eep-9},
    {7, 10ll, U128(0x0u, 0xe2u), 2, 1, 0x1.8c6d0985677a7p-9},
    {5000, -2350ll, U128(0x0u, 0x28618u), 2, 0, 0x1.aec6e6413dd45p-9},
    {5000, -2350ll, U128(0x0u, 0x28618u), 2, 1, 0x1.aeb0d7f9a69f9p-9},
    {2, 11ll, U128(0x0u, 0x49u), 9, 0, 0x1.cd2b297d889bcp-57},
    {2, 11ll, U128(0x0u, 0x49u), 9, 1, 0x1.cd2b297d889bcp-58},
    {100, 9849514039905ll, U128(0x250898u, 0xd5e6fa3556e544c7u), 6, 0, 0x1.9c0be7502111cp+38},
    {100, 9849514039905ll, U128(0x250898u, 0xd5e6fa3556e544c7u), 6, 1, 0x1.97ed1085167fap+38},
    {3, 9ll, U128(0x0u, 0x29u), 2, 0, 0x1.6f0068db8bac7p-11},
    {3, 9ll, U128(0x0u, 0x29u), 2, 1, 0x1.e955e124ba3b4p-12},
    {8589934592, -4294967296ll, U128(0x0u, 0x2900000000u), 2, 0, 0x1.096bb98d02de0p-9},
    {8589934592, -4294967296ll, U128(0x0u, 0x2900000000u), 2, 1, 0x1.096bb98c7e282p-9},
    {1048576, -468267707750940672ll, U128(0x6510ecb82u, 0x84cfec05b2a80000u), 18, 0, 0x1.38d29b599f6dbp-42},
    {1048576, -468267707750940672ll, U128(0x6510ecb82u, 0x84cfec05b2a80000u), 18, 1, 0x1.38d287cc75b81p-42},
    {5000, -10286105183782ll, U128(0x65e89fau, 0xff853515796dd050u), 2, 0, 0x1.119c5f906718ap+65},
    {5000, -10286105183782ll, U128(0x65e89fau, 0xff853515796dd050u), 2, 1, 0x1.118e5d4acb049p+65},
    {7, 1417519ll, U128(0x0u, 0x1eba4fdec81u), 2, 0, 0x1.d001855d46828p+24},
    {7, 1417519ll, U128(0x0u, 0x1eba4fdec81u), 2, 1, 0x1.8db8292b61022p+24},
    {7, -1155554748895ll, U128(0x30d41u, 0x1a7f6283d36473f9u), 18, 0, 0x1.4841d4f1b44fbp-41},
    {7, -1155554748895ll, U128(0x30d41u, 0x1a7f6283d36473f9u), 18, 1, 0x1.195cffaa9a8d7p-41},
    {7, -352234225748ll, U128(0x2cb9au, 0x7329e68d62f79ffeu), 2, 0, 0x1.84c3db1094c5fp+65},
    {7, -352234225748ll, U128(0x2cb9au, 0x7329e68d62f79ffeu), 2, 1, 0x1.4d3a297bed3bfp+65},
    {5000, -99743480243752ll, U128(0x699b4d9u, 0x362da2a06947cf10u), 6, 0, 0x1.7c318819adae4p+38},
    {5000, -99743480243752ll, U128(0x699b4d9u, 0x362da2a06947cf10u), 6, 1, 0x1.7c1e10d40a92fp+38},
    {1048576, -93630496768ll, U128(0x0u, 0x4073d3b4d00000u), 2, 0, 0x1.c779252f12876p+19},
    {1048576, -93630496768ll, U128(0x0u, 0x4073d3b4d00000u), 2, 1, 0x1.c77908b780347p+19},
    {2, 7321002855254150954ll, U128(0x154476a77a6b2816u, 0x7d7292f0ae88c33au), 9, 0, 0x1.469147ebc12fap+60},
    {2, 7321002855254150954ll, U128(0x154476a77a6b2816u, 0x7d7292f0ae88c33au), 9, 1, 0x1.469147ebc12fap+59},
    {3, 5ll, U128(0x0u, 0x53u), 18, 0, 0x1.8cff0010a0b85p-115},
    {3, 5ll, U128(0x0u, 0x53u), 18, 1, 0x1.08aa000b15d04p-115},
    {3, -89271494396ll, U128(0xbcdeu, 0x28fd41bc4af5add0u), 2, 0, 0x1.3484f5f0a7b90p+65},
    {3, -89271494396ll, U128(0xbcdeu, 0x28fd41bc4af5add0u), 2, 1, 0x1.9b5bf29634f6ap+64},
    {7, -4ll, U128(0x0u, 0xbau), 2, 0, 0x1.915479a1b6c77p-9},
    {7, -4ll, U128(0x0u, 0xbau), 2, 1, 0x1.57ff43af2ef42p-9},
    {7, -1000864158309ll, U128(0x3f7ddu, 0x12c6a770c045199fu), 2, 0, 0x1.0d1fa4b83a3efp+66},
    {7, -1000864158309ll, U128(0x3f7ddu, 0x12c6a770c045199fu), 2, 1, 0x1.cd5ad13bd1907p+65},
    {7, -1372007557265ll, U128(0x1050fu, 0xb84a366aaab778cbu), 2, 0, 0x1.bde630e2735c9p+63},
    {7, -1372007557265ll, U128(0x1050fu, 0xb84a366aaab778cbu), 2, 1, 0x1.7e33055462e1ap+63},
    {100, 9ll, U128(0x0u, 0xbffu), 18, 0, 0x1.49c6bfc4ef7c8p-115},
    {100, 9ll, U128(0x0u, 0xbffu), 18, 1, 0x1.467a8588160d3p-115},
    {2, -432130681256967739ll, U128(0x1d1e213462022c88u, 0x12e228a600547eb1u), 2, 0, 0x1.7cbb12e0a333fp+111},
    {2, -432130681256967739ll, U128(0x1d1e213462022c88u, 0x12e228a600547eb1u), 2, 1, 0x1.7cbb12e0a333fp+110},
    {100, -8677257420294ll, U128(0x245900u, 0xcc34d8d63571db42u), 2, 0, 0x1.2eb5742fad2c2p+65},
    {100, -8677257420294ll, U128(0x245900u, 0xcc34d8d63571db42u), 2, 1, 0x1.2bae84f1c27b1p+65},
    {2, -1855345408651007174ll, U128(0x54943162fa8b6d2u, 0x6ce15043a5d38124u), 6, 0, 0x1.18dd5ff145ad2p+82},
    {2, -1855345408651007174ll, U128(0x54943162fa8b6d2u, 0x6ce15043a5d38124u), 6, 1, 0x1.18dd5ff145ad2p+81},
    {100, -77ll, U128(0x0u, 0xd77u), 6, 0, 0x1.2cfeff5866545p-35},
    {100, -77ll, U128(0x0u, 0xd77u), 6, 1, 0x1.29fc728d46961p-35},
    {8589934592, 8589934592ll, U128(0x0u, 0x8200000000u), 2, 0, 0x1.a36e2eb295e9ep-8},
    {8589934592, 8589934592ll, U128(0x0u, 0x8200000000u), 2, 1, 0x1.a36e2eb1c432dp-8},
    {5000, 12225990599943ll, U128(0x6816346u, 0xd273e6bacf074917u), 2, 0, 0x1.17751b837bd78p+65},
    {5000, 12225990599943ll, U128(0x6816346u, 0xd273e6bacf074917u), 2, 1, 0x1.1766cc9be13e8p+65},
    {2, -301586ll, U128(0x0u, 0x575555d82au), 2, 0, 0x1.f6f48ea19652cp+24},
    {2, -301586ll, U128(0x0u, 0x575555d82au), 2, 1, 0x1.f6f48ea19652cp+23},
    {3, 5ll, U128(0x0u, 0x6du), 2, 0, 0x1.49dd520e78f7fp-8},
    {3, 5ll, U128(0x0u, 0x6du), 2, 1, 0x1.b7d1c2bdf69ffp-9},
    {5000, -2646ll, U128(0x0u, 0x287aeu), 0, 0, 0x1.071a0f83d5e7ap+5},
    {5000, -2646ll, U128(0x0u, 0x287aeu), 0, 1, 0x1.070c96fcb1410p+5},
    {100, 3124769393996ll, U128(0x1e9e46u, 0x7f6a882585561bfau), 6, 0, 0x1.5b4b69beed259p+38},
    {100, 3124769393996ll, U128(0x1e9e46u, 0x7f6a882585561bfau), 6, 1, 0x1.57d256c4b2749p+38},
    {5000, -2702ll, U128(0x0u, 0x29860u), 2, 0, 0x1.ba1d7eaf744acp-9},
    {5000, -2702ll, U128(0x0u, 0x29860u), 2, 1, 0x1.ba06dbcaf6fb8p-9},
    {5000, -16297947020418ll, U128(0x6807552u, 0x1464bd1d2c24e98eu), 2, 0, 0x1.174c5a0563b7fp+65},
    {5000, -16297947020418ll, U128(0x6807552u, 0x1464bd1d2c24e98eu), 2, 1, 0x1.173e0d33fafeap+65},
    {5000, -88452795ll, U128(0x0u, 0x691fba1a180bbu), 6, 0, 0x1.7a810e01cb4eep-2},
    {5000, -88452795ll, U128(0x0u, 0x691fba1a180bbu), 6, 1, 0x1.7a6dace0b7f71p-2},
    {7, 1265540369007ll, U128(0x23300u, 0x60ce55667e011335u), 0, 0, 0x1.5708c6a5e9d7ap+78},
    {7, 1265540369007ll, U128(0x23300u, 0x60ce55667e011335u), 0, 1, 0x1.260785b2c86fap+78},
    {3, -20ll, U128(0x0u, 0x92u), 2, 0, 0x1.4c0c8fa210a83p-11},
    {3, -20ll, U128(0x0u, 0x92u), 2, 1, 0x1.babb6a2d6b8afp-12},
    {3, 569082ll, U128(0x0u, 0x43f4ccca6cu), 2, 0, 0x1.18a322faacd9fp+23},
    {3, 569082ll, U128(0x0u, 0x43f4ccca6cu), 2, 1, 0x1.762ed94e3bcd3p+22},
    {3, -15ll, U128(0x0u, 0x75u), 18, 0, 0x1.be9ee012b4cf6p-116},
    {3, -15ll, U128(0x0u, 0x75u), 18, 1, 0x1.29bf400c788a4p-116},
    {1048576, -71138351159705600ll, U128(0x20aafbd9u, 0x69a59858eea80000u), 2, 0, 0x1.bf929ca8df626p+58},
    {1048576, -71138351159705600ll, U128(0x20aafbd9u, 0x69a59858eea80000u), 2, 1, 0x1.bf9280afb597dp+58},
    {2, 267286933379ll, U128(0x79bu, 0x712418d3b39580ddu), 18, 0, 0x1.d3a67c2c0b7ebp-53},
    {2, 267286933379ll, U128(0x79bu, 0x712418d3b39580ddu), 18, 1, 0x1.d3a67c2c0b7ebp-54},
    {1048576, -116520910848ll, U128(0x0u, 0x9fd6738ecd00000u), 6, 0, 0x1.592a30fac5c87p-1},
    {1048576, -116520910848ll, U128(0x0u, 0x9fd6738ecd00000u), 6, 1, 0x1.592a1b6822b8cp-1},
    {7, 1922892ll, U128(0x0u, 0x1bb31b415fcu), 2, 0, 0x1.5dc0fd622dfe0p+24},
    {7, 1922892ll, U128(0x0u, 0x1bb31b415fcu), 2, 1, 0x1.2bc9fdc1de477p+24},
    {3, -411695582966ll, U128(0xfe1fu, 0xea17ebfe9fa9d606u), 0, 0, 0x1.e45254962a5ffp+78},
    {3, -411695582966ll, U128(0xfe1fu, 0xea17ebfe9fa9d606u), 0, 1, 0x1.42e18db971955p+78},
    {100, -1680180ll, U128(0x0u, 0x20dd0b5231d6u), 6, 0, 0x1.75747fa956296p-2},
    {100, -1680180ll, U128(0x0u, 0x20dd0b5231d6u), 6, 1, 0x1.71b87425154cdp-2},
    {100, -33ll, U128(0x0u, 0xda1u), 18, 0, 0x1.75978e49e5578p-115},
    {100, -33ll, U128(0x0u, 0xda1u), 18, 1, 0x1.71db290698cefp-115},
    {100, -22ll, U128(0x0u, 0xcfeu), 2, 0, 0x1.b7b54a500cb10p-9},
    {100, -22ll, U128(0x0u, 0xcfeu), 2, 1, 0x1.b34fa32b68b98p-9},
    {8589934592, -3386311129956352ll, U128(0xf3u, 0x2c43f6d100000000u), 2, 0, 0x1.17d8f15408085p+25},
    {8589934592, -3386311129956352ll, U128(0xf3u, 0x2c43f6d100000000u), 2, 1, 0x1.17d8f1537c1bep+25},
    {2, 341896611069ll, U128(0x9832u, 0x663ae4662e67dc2du), 2, 0, 0x1.ca29c7b7e4a83p+65},
    {2, 341896611069ll, U128(0x9832u, 0x663ae4662e67dc2du), 2, 1, 0x1.ca29c7b7e4a83p+64},
    {5000, 9322564ll, U128(0x0u, 0x67c8d48c76828u), 2, 0, 0x1.16a5bf9a4f15dp+25},
    {5000, 9322564ll, U128(0x0u, 0x67c8d48c76828u), 2, 1, 0x1.16977b5099ec8p+25},
    /* clang-format on */
};

static const struct {
    int64_t minor;
    int32_t scale;
    double expected;
} decimals[] = {
    /* clang-format off */
    {215314314080ll, 15, 0x1.c38bfdfea471ap-13},
    {4201299424829026ll, 18, 0x1.13561ba15e3e1p-8},
    {-85ll, 1, -0x1.1000000000000p+3},
    {5129123998928407948ll, 0, 0x1.1cb93c68343c3p+62},
    {763ll, 0, 0x1.7d80000000000p+9},
    {-6917623056591335ll, 0, -0x1.8938aa0fa69e7p+52},
    {3688000368532550ll, 2, 0x1.0c565c26de6c0p+45},
    {125114388499ll, 6, 0x1.e8ba6374aba38p+16},
    {-6856528574571439ll, 1, -0x1.37cc7f8104fbfp+49},
    {1266903720568937ll, 6, 0x1.2e0daaa246977p+30},
    {-521752332285ll, 0, -0x1.e5eb731ff4000p+38},
    {-4207350455591182ll, 18, -0x1.13bba09c0d189p-8},
    {834765208698402323ll, 0, 0x1.72b5d11aea56cp+59},
    {761836808957ll, 2, 0x1.c617125991eb8p+32},
    {-1808586458864088ll, 2, -0x1.072f188c560e1p+44},
    {-743ll, 0, -0x1.7380000000000p+9},
    {-280ll, 2, -0x1.6666666666666p+1},
    {247555022764144301ll, 2, 0x1.196ffe7e268c6p+51},
    {7ll, 9, 0x1.e1094d643f784p-28},
    {-2617829830977789ll, 1, -0x1.dc2e336e7b65dp+47},
    {-3514816409568882ll, 18, -0x1.ccb1ab0fa343ep-9},
    {-6589069022794889ll, 1, -0x1.2ba2dbecdaa07p+49},
    {4508095223030205ll, 6, 0x1.0cb412f707bb8p+32},
    {-291ll, 9, -0x1.3875788e425ebp-22},
    /* clang-format on */
};

Test(window, ratios_are_rounded_once) {
    for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) {
        cr_assert_eq(bits_of(ride_ratio_u128(ratios[i].numerator, ratios[i].denominator)), bits_of(ratios[i].expected),
                     "ratio %zu", i);
        cr_assert_eq(bits_of(
                         ride_ratio_u256(ride_u256_from(ratios[i].numerator), ride_u256_from(ratios[i].denominator))),
                     bits_of(ratios[i].expected), "long ratio %zu", i);
    }
}

Test(window, variances_are_rounded_once) {
    for (size_t i = 0; i < sizeof variances / sizeof *variances; i++) {
        const double var = ride_window_var(variances[i].n, variances[i].sum, variances[i].sumsq, variances[i].scale,
                                           variances[i].population);
        cr_assert_eq(bits_of(var), bits_of(variances[i].expected), "variance %zu: %.17g", i, var);
        cr_assert_eq(bits_of(ride_window_std(variances[i].n, variances[i].sum, variances[i].sumsq, variances[i].scale,
                                             variances[i].population)),
                     bits_of(sqrt(variances[i].expected)), "std %zu", i);
    }
}

Test(window, decimals_are_rounded_once) {
    for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++) {
        cr_assert_eq(bits_of(ride_decimal_to_f64(decimals[i].minor, decimals[i].scale)), bits_of(decimals[i].expected),
                     "decimal %zu", i);
        cr_assert_eq(bits_of(ride_window_mean(1, decimals[i].minor, decimals[i].scale)), bits_of(decimals[i].expected));
    }
    cr_assert_eq(ride_seconds(-1500000), -1.5);
    cr_assert_eq(bits_of(ride_decimal_to_f64(INT64_MIN, 0)), bits_of(-9223372036854775808.0));
}

Test(window, nothing_gives_null_and_empty_replaces_it) {
    const uint64_t null_bits = bits_of(ride_null_f64());
    cr_assert_eq(bits_of(ride_window_mean(0, 0, 2)), null_bits);
    cr_assert_eq(bits_of(ride_window_risk(0, 0)), null_bits);
    cr_assert_eq(bits_of(ride_window_var(1, 5, 25, 2, 0)), null_bits);
    cr_assert_eq(bits_of(ride_window_std(1, 5, 25, 2, 0)), null_bits);
    cr_assert_eq(bits_of(ride_window_var(1, 5, 25, 2, 1)), bits_of(0.0));
    ride_plan_aggregate aggregate = {.min_count = 3};
    cr_assert_eq(ride_window_finish(&aggregate, 3, 7.5), 7.5);
    cr_assert_eq(bits_of(ride_window_finish(&aggregate, 2, 7.5)), null_bits);
    aggregate.has_empty = 1;
    aggregate.empty = -1;
    cr_assert_eq(ride_window_finish(&aggregate, 2, 7.5), -1.0);
    cr_assert_eq(ride_window_finish(&aggregate, 9, ride_null_f64()), -1.0);
}

Test(window, thresholds_saturate_and_align) {
    const int64_t day = 86400000000, hour = 3600000000;
    ride_plan_edge edge = {.kind = RIDE_EDGE_OFFSET, .offset_us = 10};
    cr_assert_eq(ride_edge_threshold(&edge, 7, NULL, 0), -3);
    cr_assert_eq(ride_edge_threshold(&edge, INT64_MIN + 3, NULL, 0), INT64_MIN);
    edge.offset_us = -10;
    cr_assert_eq(ride_edge_threshold(&edge, INT64_MAX - 3, NULL, 0), INT64_MAX);
    edge = (ride_plan_edge){.kind = RIDE_EDGE_ALIGNED, .offset_us = 1, .shift_us = hour, .period_us = day};
    cr_assert_eq(ride_edge_threshold(&edge, 3 * day + hour - 1, NULL, 0), 2 * day - 1);
    cr_assert_eq(ride_edge_threshold(&edge, 3 * day + hour, NULL, 0), 3 * day - 1);
    cr_assert_eq(ride_edge_threshold(&edge, -1, NULL, 0), -2 * day + day - 1);
    edge = (ride_plan_edge){.kind = RIDE_EDGE_ALIGNED, .period_us = 7 * day};
    cr_assert_eq(ride_edge_threshold(&edge, 0, NULL, 0), -3 * day, "the week of the epoch began on Monday 1969-12-29");
    cr_assert_eq(ride_edge_threshold(&edge, 4 * day, NULL, 0), 4 * day);
    cr_assert_eq(ride_edge_threshold(&edge, 4 * day - 1, NULL, 0), -3 * day);
    edge.period_us = 14 * day;
    cr_assert_eq(ride_edge_threshold(&edge, 11 * day, NULL, 0), 11 * day);
    cr_assert_eq(ride_edge_threshold(&edge, 11 * day - 1, NULL, 0), -3 * day);
}

Test(window,
     periods_follow_the_clock_on_the_wall) { /* Europe/Berlin 2023: +1 h, +2 h from 26 March to 29 October 01:00 UTC */
    const int64_t hour = 3600000000, day = 24 * hour;
    const int64_t spring = 1679792400000000, autumn = 1698541200000000;
    const ride_plan_zone zone[] = {{INT64_MIN, hour}, {spring, 2 * hour}, {autumn, hour}};
    cr_assert_eq(ride_period_start(spring + 5 * hour, day, zone, 3), spring - 2 * hour,
                 "midnight was before the change");
    cr_assert_eq(ride_period_start(autumn + 5 * hour, day, zone, 3), autumn - 3 * hour);
    cr_assert_eq(ride_period_start(autumn + hour / 2, hour, zone, 3), autumn, "the second two o'clock");
    cr_assert_eq(ride_period_start(autumn - hour / 2, hour, zone, 3), autumn - hour, "the first two o'clock");
    cr_assert_eq(ride_period_start(spring + hour / 2, hour, zone, 3), spring);
    cr_assert_eq(ride_period_start(spring + 28, 700, zone, 3), spring, "a start that the clock skipped");
    int64_t before = INT64_MIN; /* later events never have an earlier start: windows only move forward */
    for (int64_t t = autumn - 2 * day; t < autumn + 2 * day; t += hour / 4) {
        const int64_t start = ride_period_start(t, 6 * hour, zone, 3);
        cr_assert(start >= before && start <= t);
        before = start;
    }
}
