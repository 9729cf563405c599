<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Types;

use Closure;
use InvalidArgumentException;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWiki\Extension\WebSocket\WikiIdentity;

/**
 * What this wiki's types are: its own, those that extensions declare in their extension.json (attribute
 * WebSocketTypes), and those of $wgWebSocketTypes, which also stand over the others.
 *
 * Nobody may use a type whose declaration is bad. Nothing is read before somebody asks.
 */
class TypeRegistry {
	/** Policies that the relay takes from a wiki, and how many bytes of its registration they may be */
	public const MAX_POLICIES = 500;
	public const MAX_BYTES = 192 * 1024;

	/** Rights that policies may ask for: those that a user has stand in his token, which has 8 KiB at most. */
	public const MAX_RIGHTS = 50;

	/** A page in a cache is seldom older than a week; who has missed more of it than so much just fetches it. */
	private const PAGE_HISTORY = [ 'count' => 20, 'seconds' => 7 * 86400 ];
	private const CHANGES_HISTORY = [ 'count' => 500, 'seconds' => 3600 ];

	/** Problems that one log entry names */
	private const PROBLEMS_LOGGED = 10;

	/** @var array<string,Declaration>|null By pattern of the relay without the wiki id, in the order of the bytes */
	private ?array $declarations = null;

	/** @var Declaration[]|null Those whose pattern has a placeholder, in the order in which the relay tries them */
	private ?array $mostSpecificFirst = null;

	/** @var array[]|null */
	private ?array $policies = null;

	/** @var string[] What is wrong, a sentence each */
	private array $problems = [];

	private bool $isComplete = true;

	/**
	 * @param WikiIdentity $wiki
	 * @param Settings $settings
	 * @param TroubleLog $log
	 * @param Closure():array $attribute What extensions declare: pattern => declaration
	 */
	public function __construct(
		private readonly WikiIdentity $wiki,
		private readonly Settings $settings,
		private readonly TroubleLog $log,
		private readonly Closure $attribute
	) {
	}

	/**
	 * What the relay has to know, in the order of the patterns: equal declarations give equal bytes.
	 *
	 * @return array[] As in the member "types" of PUT /api/wikis/{id}
	 */
	public function policies(): array {
		$this->load();
		return $this->policies;
	}

	/** @return bool Whether types that no policy names may be used */
	public function isOpen(): bool {
		$this->load();
		// Some that are declared are not among the policies, and would be open.
		return $this->settings->openTypes && $this->isComplete;
	}

	/** @return string[] Names of the rights that policies ask for, in the order of their bytes */
	public function rights(): array {
		$rights = [];
		foreach ( $this->declarations() as $declaration ) {
			array_push( $rights, ...$declaration->rights() );
		}
		$rights = array_values( array_unique( $rights ) );
		sort( $rights, SORT_STRING );
		return $rights;
	}

	/**
	 * @param string $type As a page subscribes to it
	 * @return TypeMatch|null null: it does not belong to this wiki
	 */
	public function match( string $type ): ?TypeMatch {
		if ( str_starts_with( $type, $this->wiki->id ) ) {
			$name = substr( $type, strlen( $this->wiki->id ) );
			return new TypeMatch( $name, $this->find( $name ) );
		}
		$shared = str_contains( $type, ':' ) ? null : $this->find( $type );
		return $shared?->isShared ? new TypeMatch( $type, $shared ) : null;
	}

	/**
	 * @param string $type As it is published
	 * @return int For how many seconds its messages are kept; 0: it has no history
	 */
	public function historySeconds( string $type ): int {
		return $this->match( $type )?->declaration?->history['seconds'] ?? 0;
	}

	/** @return Declaration|null The one that covers the name most specifically, as the relay chooses it */
	private function find( string $name ): ?Declaration {
		$declarations = $this->declarations();
		$exact = $declarations[$name] ?? null;
		if ( $exact !== null && $exact->pattern->placeholder === null ) {
			return $exact;
		}
		$this->mostSpecificFirst ??= $this->sorted( $declarations );
		foreach ( $this->mostSpecificFirst as $declaration ) {
			if ( $declaration->pattern->match( $name ) !== null ) {
				return $declaration;
			}
		}
		return null;
	}

	/**
	 * @param Declaration[] $declarations
	 * @return Declaration[] Those with a placeholder; more literal characters first, then the longer beginning
	 */
	private function sorted( array $declarations ): array {
		$wild = array_filter( $declarations, static fn ( $d ) => $d->pattern->placeholder !== null );
		uksort( $wild, static fn ( string $a, string $b ): int =>
			strlen( $b ) <=> strlen( $a ) ?: strcspn( $b, '*' ) <=> strcspn( $a, '*' ) ?: strcmp( $a, $b )
		);
		return $wild;
	}

	/**
	 * @param string $type One of this wiki, with the wiki id or without
	 * @return string[] All that it is known as: with the wiki id and, if it is shared, without
	 */
	public function spellings( string $type ): array {
		$hasId = str_starts_with( $type, $this->wiki->id );
		$name = $hasId ? substr( $type, strlen( $this->wiki->id ) ) : $type;
		$isShared = !str_contains( $name, ':' ) && $this->find( $name )?->isShared;
		return $isShared ? [ $this->wiki->id . $name, $name ] : [ $this->wiki->id . $name ];
	}

	/**
	 * @param int $pageId
	 * @return string[] The types of this page that need a subscription token; see spellings()
	 */
	public function typesOfPage( int $pageId ): array {
		$types = [];
		foreach ( $this->declarations() as $declaration ) {
			$pattern = $declaration->pattern;
			if ( $declaration->needsToken && $pattern->placeholder === Pattern::PAGE ) {
				array_push( $types, ...$this->spellings( $pattern->prefix . $pageId . $pattern->suffix ) );
			}
		}
		return $types;
	}

	/** @return array<string,Declaration> */
	private function declarations(): array {
		$this->load();
		return $this->declarations;
	}

	private function load(): void {
		if ( $this->declarations !== null ) {
			return;
		}
		$this->declarations = array_replace(
			$this->parse( $this->declaredInCode(), 'an extension declares' ),
			$this->parse( $this->settings->types, '$wgWebSocketTypes has' )
		);
		ksort( $this->declarations, SORT_STRING );
		$this->limitRights();
		$this->limitPolicies();
		if ( $this->problems ) {
			$more = count( $this->problems ) - self::PROBLEMS_LOGGED;
			$this->log->error(
				'Nobody may use some types of this wiki: {problem}',
				implode( '; ', array_slice( $this->problems, 0, self::PROBLEMS_LOGGED ) )
					. ( $more > 0 ? "; and $more more" : '' )
			);
		}
	}

	/** @return iterable Pattern => declaration: the wiki's own types, and those of extensions */
	private function declaredInCode(): iterable {
		$isPerPage = $this->settings->perPageRead;
		yield '@page/' . Pattern::PAGE => [
			'read' => $isPerPage ? Declaration::READ_PAGE : Declaration::READ_ANYONE,
			'history' => self::PAGE_HISTORY,
		];
		// It tells about every page.
		yield '@changes' => [
			'read' => $isPerPage ? 'websocket-admin' : Declaration::READ_ANYONE,
			'history' => self::CHANGES_HISTORY,
		];
		yield from ( $this->attribute )();
	}

	/**
	 * @param iterable $declared Pattern => declaration
	 * @param string $who Begins the sentence about a bad one
	 * @return array<string,Declaration>
	 */
	private function parse( iterable $declared, string $who ): array {
		$declarations = [];
		foreach ( $declared as $text => $members ) {
			$text = (string)$text;
			$isGood = false;
			try {
				$declaration = Declaration::parse( $text, $members, $this->wiki->id );
				$isGood = true;
			} catch ( InvalidArgumentException $e ) {
				$this->problems[] = "$who the type " . Settings::quote( $text ) . ', but ' . $e->getMessage();
				$declaration = $this->denied( $text, $members );
			}
			$key = $declaration?->pattern->forRelay();
			$other = $declarations[$key] ?? null;
			if ( $other !== null ) {
				if ( $isGood ) {
					$this->problems[] = "$who the type " . Settings::quote( $text )
						. ', but there is another declaration for the same types';
				}
				$isShared = $declaration->isShared || $other->isShared;
				$declaration = Declaration::denied( $declaration->pattern, $isShared );
			}
			if ( $declaration !== null ) {
				$declarations[$key] = $declaration;
			}
		}
		return $declarations;
	}

	private function denied( string $text, mixed $members ): ?Declaration {
		$pattern = Pattern::covering( $text, $this->wiki->id );
		$isShared = is_array( $members ) && ( $members['shared'] ?? false );
		return $pattern === null
			? null
			: Declaration::denied( $pattern, $isShared && $pattern->sharingProblem( $this->wiki->id ) === null );
	}

	private function limitRights(): void {
		$rights = [];
		foreach ( $this->declarations as $key => $declaration ) {
			$more = $rights + array_flip( $declaration->rights() );
			if ( count( $more ) <= self::MAX_RIGHTS ) {
				$rights = $more;
				continue;
			}
			$this->problems[] = 'the type ' . Settings::quote( (string)$key )
				. ' needs one more user right, but the types of a wiki may need ' . self::MAX_RIGHTS . ' in all';
			$this->declarations[$key] = Declaration::denied( $declaration->pattern, $declaration->isShared );
		}
	}

	private function limitPolicies(): void {
		$policies = $this->allPolicies();
		// A policy has some 1200 bytes at most.
		$bytes = count( $policies ) * 1200 <= self::MAX_BYTES ? 0 : strlen( json_encode( array_values( $policies ) ) );
		if ( count( $policies ) > self::MAX_POLICIES || $bytes > self::MAX_BYTES ) {
			$this->problems[] = 'the declared types make ' . count( $policies ) . " policies of $bytes bytes, at most "
				. self::MAX_POLICIES . ' of ' . self::MAX_BYTES . ' bytes are allowed, so that nobody may use any type';
			$this->isComplete = false;
			// Leaving out only some could put a type under the policy of a wider pattern.
			$everything = Declaration::denied( Pattern::parse( Pattern::ANY, $this->wiki->id ), false );
			$this->declarations = [ Pattern::ANY => $everything ];
			$policies = $this->allPolicies();
		}
		$this->policies = array_values( $policies );
	}

	/** @return array<string,array> By pattern, in the order of the bytes */
	private function allPolicies(): array {
		$policies = [];
		foreach ( $this->declarations as $declaration ) {
			$policies += $declaration->policies( $this->wiki->id );
		}
		ksort( $policies, SORT_STRING );
		return $policies;
	}
}
