<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Keys;

use MediaWiki\Extension\WebSocket\Relay\StateDirectory;

/**
 * Keeps the generations of the wikis' keys, each in a small file in the relay's folder: {"generation":N,"rotated":T}.
 * A key that was never rotated has none, which costs each request one look for it.
 */
class KeyGenerations {
	private const FILE_BYTES = 256;

	public function __construct( private readonly StateDirectory $directory ) {
	}

	/**
	 * @param string $wikiId
	 * @return KeyGeneration With a problem when the file is there and cannot be understood or trusted. To go on with
	 *   the first key then would bring back one that may have been rotated because somebody had stolen it.
	 */
	public function current( string $wikiId ): KeyGeneration {
		$file = $this->getFile( $wikiId );
		if ( $file === null || !is_file( $file ) ) {
			return new KeyGeneration();
		}
		$problem = $this->directory->getProblem();
		if ( $problem !== null ) {
			return new KeyGeneration( problem: "the key's generation is in a folder that cannot be trusted: $problem" );
		}
		// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
		$text = @file_get_contents( $file, false, null, 0, self::FILE_BYTES );
		$fields = json_decode( (string)$text, true );
		$number = $fields['generation'] ?? null;
		$rotated = $fields['rotated'] ?? null;
		if ( is_int( $number ) && is_int( $rotated ) && $number > 0 && $rotated > 0 ) {
			return new KeyGeneration( $number, $rotated );
		}
		$what = $text === false ? "PHP cannot read $file, which belongs to the user that PHP runs as"
			: "$file is damaged";
		return new KeyGeneration( problem: "$what. It says which key the wiki has, so nothing is signed: "
			. 'restore it from a backup, or write {"generation":N,"rotated":T} into it, where N is higher than it '
			. 'ever was (1000 will do) and T is what "date +%s" prints' );
	}

	/**
	 * @return string|null Why save() would not do, and what to do
	 */
	public function getProblem(): ?string {
		$path = $this->directory->getPath();
		$problem = $this->directory->getProblem();
		if ( $problem !== null ) {
			return $problem;
		}
		if ( !is_dir( $path ) ) {
			return "there is no folder $path yet; view a page of the wiki first, so that the relay is started";
		}
		// A file of another user could not be read by the wiki, which would be left without a key.
		$owner = fileowner( $path );
		if ( function_exists( 'posix_geteuid' ) && $owner !== posix_geteuid() ) {
			$name = posix_getpwuid( $owner )['name'] ?? "#$owner";
			return "$path belongs to another user; run this as that user: sudo -u $name php …";
		}
		return is_writable( $path ) ? null : "PHP cannot write to $path; is the disk full or read-only?";
	}

	/**
	 * @param string $wikiId
	 * @param KeyGeneration $generation
	 * @return bool Whether it is written
	 */
	public function save( string $wikiId, KeyGeneration $generation ): bool {
		$json = json_encode( [ 'generation' => $generation->number, 'rotated' => $generation->rotated ] );
		$file = $this->getFile( $wikiId );
		return $file !== null && $this->directory->write( basename( $file ), "$json\n" ) !== null;
	}

	/**
	 * Wikis that share the folder have files of their own.
	 *
	 * @param string $wikiId
	 * @return string|null Absolute path; null: there is no folder
	 */
	public function getFile( string $wikiId ): ?string {
		$path = $this->directory->getPath();
		return $path === null ? null : "$path/key-" . substr( hash( 'sha256', $wikiId ), 0, 16 ) . '.json';
	}
}
