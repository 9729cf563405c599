/**
 * The bar at the top of the content. It is in the document from the beginning, empty: what is said later in a region that is there already is
 * read aloud by screen readers.
 */
export class Bar {
	/**
	 * @param {Document} document
	 * @param {Object} texts label, changes, reload, dismiss
	 * @param {Object} actions
	 * @param {string} actions.page the address of the page
	 * @param {function()} actions.reload
	 */
	constructor( document, texts, actions ) {
		const element = ( name, part, text ) => {
			const made = document.createElement( name );
			// The following classes are used here:
			// * ext-websocket-live-bar
			// * ext-websocket-live-text
			// * ext-websocket-live-tools
			// * ext-websocket-live-link
			// * ext-websocket-live-dismiss
			made.className = 'ext-websocket-live-' + part;
			made.textContent = text || '';
			return made;
		};
		this.root = element( 'div', 'bar' );
		this.root.setAttribute( 'role', 'region' );
		this.root.setAttribute( 'aria-label', texts.label );
		this.status = element( 'span', 'text' );
		this.status.setAttribute( 'role', 'status' );
		this.status.setAttribute( 'aria-live', 'polite' );
		this.tools = element( 'span', 'tools' );
		this.changes = element( 'a', 'link', texts.changes );
		this.reload = element( 'a', 'link', texts.reload );
		this.page = actions.page;
		this.reload.addEventListener( 'click', ( event ) => {
			// The link is for another tab, and for a page that has moved away from here.
			if ( this.reload.getAttribute( 'href' ) === this.page && !event.ctrlKey && !event.metaKey && !event.shiftKey ) {
				event.preventDefault();
				actions.reload();
			}
		} );
		this.dismiss = element( 'button', 'dismiss', '\u00d7' );
		this.dismiss.type = 'button';
		this.dismiss.title = texts.dismiss;
		this.dismiss.setAttribute( 'aria-label', texts.dismiss );
		this.dismiss.addEventListener( 'click', () => this.hide() );
		[ this.changes, this.reload, this.dismiss ].forEach( ( tool ) => this.tools.appendChild( tool ) );
		this.root.appendChild( this.status );
		this.root.appendChild( this.tools );
		this.hide();
	}

	/**
	 * Put the bar into the page.
	 *
	 * @param {Document} document
	 */
	insert( document ) {
		// Each skin has at least one of them.
		const place = document.getElementById( 'bodyContent' ) || document.getElementById( 'mw-content-text' ) ||
			document.querySelector( '.mw-body-content' );
		if ( place ) {
			place.parentNode.insertBefore( this.root, place );
		}
	}

	/**
	 * @param {string} text
	 * @param {string} changes the address of the changes, '' for none
	 * @param {string} [moved] the new address of the page
	 */
	show( text, changes, moved ) {
		this.root.classList.add( 'ext-websocket-live-shown' );
		this.tools.hidden = false;
		this.changes.hidden = !changes;
		this.changes.href = changes;
		this.reload.href = moved || this.page;
		this.status.textContent = text;
	}

	/**
	 * Say the same in other words. Whoever has dismissed the bar is not told again.
	 *
	 * @param {string} text
	 */
	reword( text ) {
		if ( !this.tools.hidden ) {
			this.status.textContent = text;
		}
	}

	hide() {
		this.root.classList.remove( 'ext-websocket-live-shown' );
		this.tools.hidden = true;
		this.status.textContent = '';
	}
}
