// The kernel of czictypes: chooses the sub-blocks of a read, and paints them into an array.
//
// cffi (native/make_declarations.py) and the C++ files of this folder read this file, so it has no
// preprocessor lines. The order of the members of each structure needs no padding.
//
// All memory is the caller's. Nothing that the kernel allocates outlives a call, but for less than
// 2 MB that a thread that has packed small data keeps until it ends. No function keeps a pointer,
// throws, or leaves a thread behind. An unusual sub-block is not an error here: its job gets the
// status CZK_UNUSUAL, and the caller finds out what is wrong.

// Increases with every change of the declarations; czk_abi() returns it.
enum czk_version { CZK_ABI = 6 };

// The number for "none": of a scene, an M-index, a coordinate.
enum czk_absent { CZK_ABSENT = -2147483648 };

// Not painted yet; painted; the caller must decode it and give its pixels.
enum czk_status { CZK_PENDING = 0, CZK_DONE = 1, CZK_UNUSUAL = 2 };

// Stored pixels as they are; by libCZI's scaling accessor; on the grid of a resolution level.
enum czk_mode { CZK_COPY = 0, CZK_ZOOM = 1, CZK_LEVEL = 2 };

// The sub-block directory of the file: columns of `count` rows.
struct czk_directory {
    int64_t count;
    int64_t file_size, modified_ns, inode;  // of the file when it was opened
    const int32_t *x, *y, *w, *h, *stored_w, *stored_h, *m, *pixel_type, *compression;
    const int64_t *position;
    const int32_t *coordinate[9];      // NULL if no entry has the dimension
    int64_t *data_offset, *data_size;  // set by reads; 0 until then
    char letters[16];                  // of the coordinates
};

// Tiles of similar size in one plane, in cells of a grid.
struct czk_group {
    int64_t first, end;  // in `order`
    int64_t x, y, cell_w, cell_h;
    int64_t cells;  // the first of its columns * rows + 1 entries in `cells`
    int32_t columns, rows, largest_w, largest_h;
    float lowest, highest;  // zoom
};

// The tiles that reads choose from: one for each plane of a sub-block.
struct czk_tiles {
    int64_t count;
    const int32_t *x, *y, *w, *h;
    const int32_t *read_w, *read_h;  // the size in pixels that is read
    const int32_t *m, *scene, *pixel_type;
    const float *zoom;
    const int16_t *level;
    const uint8_t *layer0;
    const int64_t *plane;      // equal for tiles of the same plane
    const int64_t *sub_block;  // its row in the directory; NULL: the same
    const uint8_t *special;    // 1: not the stored pixels as they are; NULL: no tile is
    const int64_t *scenes;     // the numbers of the scenes, ascending
    const int64_t *boxes;      // left, top, right, bottom of each
    int64_t scene_count;
    int32_t *order;  // the index: tiles by plane, scale and position
    int64_t ordered;
    struct czk_group *groups;
    int64_t group_count;
    int32_t *cells;
};

// A plane of a read. Planes of a lower rank are painted first.
struct czk_plane {
    int64_t plane, rank;
};

// A part of a plane to paint into some rows of the output.
struct czk_region {
    int64_t x, y, w, h;  // in pixels of full resolution; CZK_LEVEL: in those of the level
    int64_t out_w, out_h;
    int64_t out_offset, out_stride;  // bytes: from the beginning of the output, from row to row
    const struct czk_plane *planes;
    int64_t plane_count;
    double factor;           // CZK_LEVEL: pixels of full resolution per pixel
    int64_t grid_x, grid_y;  // CZK_LEVEL: the corner of its grid in full resolution
    int64_t only;            // the only tile to paint, or -1 to choose by the rules
    int64_t covered;         // set by czk_choose: the least number of painted pixels
    int32_t in_order;        // set by czk_choose: jobs overlap, and are painted in order
    int32_t mode, level;
    int32_t scene;      // the only one, or CZK_ABSENT for all
    int32_t has_masks;  // lower tiles may show through masks
    float zoom;
};

// A box of a region that a tile paints, in pixels of the output.
struct czk_job {
    int64_t tile;
    int32_t region, status;
    int32_t given;               // its index in an array of czk_given, or -1
    int32_t first_row, end_row;  // the needed rows of the tile as it is read; set by czk_choose
    int32_t reserved;
    int32_t left, top, right, bottom;
};

// The caller's data of a tile: bytes of the file, or decoded pixels, and perhaps a mask.
struct czk_given {
    const uint8_t *bytes;  // the bytes `begin` to `end` of the file, or NULL; no others are read
    int64_t begin, end;
    const uint8_t *pixels;  // the rows `first` to `end` of the tile as it is stored, or NULL
    int64_t first_row, end_row, stride;
    int64_t w, h;  // of the whole tile
    const uint8_t *mask;  // a byte for each pixel as the tile is read, 0 where invalid; or NULL
    int64_t mask_stride;
};

struct czk_output {
    uint8_t *pixels;
    int64_t size;      // bytes
    int64_t file;      // a file descriptor, on Windows a HANDLE; -1 for none
    int64_t slice_us;  // the time after which to return, approximately
    int32_t pixel_type, threads;
    int64_t chosen;     // set by czk_read: the number of jobs
    int64_t unchanged;  // set once all is done: 1 if the file is still as it was, 0 if unknown
};

int32_t czk_abi(void);
const char *czk_zstd_version(void);

// Sorts the tiles into `order` and sets `ordered`; returns the number of groups, or -1.
int64_t czk_sort(struct czk_tiles *tiles);
// Fills `groups`, and `cells`, which has room for ordered + 2 * group_count numbers.
int32_t czk_index(struct czk_tiles *tiles);

// Chooses the jobs of regions; returns their number. If it exceeds `capacity`, none is valid.
// -1: no memory; -2: a region whose numbers are too large.
int64_t czk_choose(const struct czk_tiles *tiles, struct czk_region *regions, int64_t count,
                   struct czk_job *jobs, int64_t capacity);

// Paints pending jobs; returns the number of jobs that are not done. -1: no memory; -2: impossible
// arguments.
int64_t czk_paint(const struct czk_directory *directory, const struct czk_tiles *tiles,
                  const struct czk_region *regions, int64_t region_count, struct czk_job *jobs,
                  int64_t job_count, const struct czk_given *given, int64_t given_count,
                  struct czk_output *output);

// Chooses jobs, and paints them if they fill every region and are at most `most`. Returns 1 if all
// are done, 0 if not, or an error as czk_choose and czk_paint.
int64_t czk_read(const struct czk_directory *directory, const struct czk_tiles *tiles,
                 struct czk_region *regions, int64_t region_count, struct czk_job *jobs,
                 int64_t capacity, int64_t most, struct czk_output *output);

// Decodes zstd0 or zstd1 data of exactly `size` bytes of pixels, at least the first `wanted` ones;
// `pixels` has room for all. Returns 0, or -1 on failure.
int32_t czk_unpack(int32_t compression, const uint8_t *data, int64_t data_size, uint8_t *pixels,
                   int64_t size, int64_t wanted, int32_t pixel_type);
// Encodes pixels; returns the size, or -1 if room or memory is too small. HiLo is for zstd1 and
// words of 16 bits.
int64_t czk_pack(int32_t compression, const uint8_t *pixels, int64_t size, int32_t hilo,
                 int32_t level, uint8_t *data, int64_t capacity);
int64_t czk_pack_bound(int64_t size);

// The columns of a directory while they are filled. The fields are x, y, w, h, stored_w, stored_h,
// m, pixel type, compression, file part, pyramid type; then the coordinate, and the size, in each of
// the dimensions in `letters`. A field has no column as long as all rows have the same value.
enum czk_fields { CZK_FIELDS = 29 };
struct czk_columns {
    int64_t count, filled;
    int64_t *position;
    int32_t *column[29];  // NULL: all rows have the `value`
    int32_t value[29];    // of the first row
    int32_t lacking;      // the field that needs a column, or -1
    char letters[16];
};

// Parses the complete entries at the beginning of `data`; returns their number of bytes. It stops
// where a field needs a column, and returns -1 if an entry is unusual in any way.
int64_t czk_parse(struct czk_columns *columns, const uint8_t *data, int64_t size);
