<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Types;

/**
 * A type of this wiki, and what is declared about it.
 */
class TypeMatch {
	/**
	 * @param string $name The type without the wiki id
	 * @param Declaration|null $declaration The most specific one that covers it; null: none does
	 */
	public function __construct(
		public readonly string $name,
		public readonly ?Declaration $declaration
	) {
	}

	/** @return string|null What {page}, {user} or * stands for in it, if that is the placeholder of the declaration */
	public function valueOf( string $placeholder ): ?string {
		$pattern = $this->declaration?->pattern;
		return $pattern?->placeholder === $placeholder ? $pattern->match( $this->name ) : null;
	}

	/** @return int The page that it is about; 0: none, or what stands for {page} is not a page's id */
	public function pageId(): int {
		// One spelling for a page, and none that the database takes for another number.
		$id = (string)$this->valueOf( Pattern::PAGE );
		return preg_match( '/^[1-9]\d{0,9}$/D', $id ) ? (int)$id : 0;
	}
}
